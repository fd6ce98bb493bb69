// SPDX-License-Identifier: GPL-2.0
/*
 * usage: dissector [FRAME-FORMAT.RST DAQ.LUA]
 *
 * The three places that have the layout of a segment's header are one: the C header, its
 * table in Documentation/frame-format.rst, and the dissector for Wireshark. And what that
 * makes of packets of all kinds: tshark prints it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <endian.h>
#include <linux/daq.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ktap.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define MAX_ROWS		32
/* The Ethernet dissector shows these. */
#define BEHIND_ETHERTYPE	14

/* A member with its offset and size, or a flag with its bit. */
struct row {
	char name[32];
	unsigned int at;
	unsigned int size;
};

#define MEMBER(m)	{ #m, offsetof(struct daq_hdr, m), sizeof(((struct daq_hdr *)0)->m) },
#define FLAG(f)		{ #f, DAQ_HDR_F_ ## f, 0 },

static const struct row members[] = {
#include "hdr_members.h"
};

static const struct row flags[] = {
#include "hdr_flags.h"
};

struct table {
	struct row members[MAX_ROWS];
	unsigned int nr_members;
	struct row flags[MAX_ROWS];
	unsigned int nr_flags;
};

static bool read_documented(const char *line, struct row *member, struct row *flag)
{
	if (sscanf(line, " %u %u ``%31[a-z_]``", &member->at, &member->size, member->name) == 3)
		return true;
	*member = (struct row){ 0 };
	return sscanf(line, " 0x%x ``%31[A-Z]``", &flag->at, flag->name) == 2;
}

static bool read_dissected(const char *line, struct row *member, struct row *flag)
{
	if (sscanf(line, " { \"%31[a-z_]\", %u, %u,", member->name, &member->at,
		   &member->size) == 3)
		return true;
	*member = (struct row){ 0 };
	return sscanf(line, " { \"%31[A-Z]\", 0x%x,", flag->name, &flag->at) == 2;
}

static void read_table(struct table *table, const char *path,
		       bool (*read)(const char *line, struct row *member, struct row *flag))
{
	FILE *file = fopen(path, "r");
	char line[256];

	if (!file)
		ktap_die("%s: %s", path, strerror(errno));
	memset(table, 0, sizeof(*table));
	while (fgets(line, sizeof(line), file)) {
		struct row member = { 0 }, flag = { 0 };

		/* behind that heading the document is about what is in front of headers */
		if (strcmp(line, "Triggers\n") == 0)
			break;
		if (!read(line, &member, &flag))
			continue;
		if (table->nr_members == MAX_ROWS || table->nr_flags == MAX_ROWS)
			ktap_die("%s: more than %d rows", path, MAX_ROWS - 1);
		if (member.size)
			table->members[table->nr_members++] = member;
		else
			table->flags[table->nr_flags++] = flag;
	}
	fclose(file);
}

static bool same(const struct row *a, const struct row *b)
{
	return !strcmp(a->name, b->name) && a->at == b->at && a->size == b->size;
}

/* In the same order, from the first one at @from on. */
static void compare(const struct row *real, size_t nr_real, const struct row *told,
		    unsigned int nr_told, unsigned int from, const char *what)
{
	unsigned int i, n = 0, wrong = 0;

	for (i = 0; i < nr_real; i++) {
		if (real[i].size && real[i].at < from)
			continue;
		if (n >= nr_told || !same(&real[i], &told[n])) {
			printf("# %s at %u, %u bytes\n", real[i].name, real[i].at, real[i].size);
			wrong++;
		}
		n++;
	}
	ktap_ok(n > 3 && !wrong && n == nr_told, "layout: %s: all %u", what, n);
}

static void test_layout(const char *document, const char *dissector)
{
	struct table table;

	read_table(&table, document, read_documented);
	compare(members, ARRAY_SIZE(members), table.members, table.nr_members, 0,
		"members in the document");
	compare(flags, ARRAY_SIZE(flags), table.flags, table.nr_flags, 0,
		"flags in the document");
	read_table(&table, dissector, read_dissected);
	compare(members, ARRAY_SIZE(members), table.members, table.nr_members, BEHIND_ETHERTYPE,
		"members in the dissector");
	compare(flags, ARRAY_SIZE(flags), table.flags, table.nr_flags, 0,
		"flags in the dissector");
}

/* ---- A capture ---- */

#define SEGMENT	1024u
#define FRAME	4096u

static FILE *pcap;
static unsigned int packets;

static void begin_capture(char *path)
{
	/* of Ethernet packets, with nanoseconds */
	static const uint32_t header[] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 1 << 18, 1 };
	int fd = mkstemp(path);

	pcap = fd < 0 || fchmod(fd, 0644) ? NULL : fdopen(fd, "w");
	if (!pcap || fwrite(header, sizeof(header), 1, pcap) != 1)
		ktap_die("%s: %s", path, strerror(errno));
	packets = 0;
}

/* A packet of @len bytes of which @captured were taken. */
static void add_packet(const void *data, size_t captured, size_t len)
{
	uint32_t header[] = { packets++, 0, captured, len };

	if (fwrite(header, sizeof(header), 1, pcap) != 1 ||
	    (captured && fwrite(data, captured, 1, pcap) != 1))
		ktap_die("cannot write packets: %s", strerror(errno));
}

static void end_capture(void)
{
	if (fclose(pcap))
		ktap_die("cannot write packets: %s", strerror(errno));
}

/* ---- What tshark makes of it ---- */

struct expected {
	struct daq_hdr hdr;
	size_t payload;		/* bytes in the packet; a tap shows none */
	const char *gap;	/* segments missing, of these by the card, samples */
	const char *info;	/* a part of the line about it */
	const char *message;	/* of the expert, or "" */
};

static struct daq_hdr segment_of(unsigned int channel, uint32_t frame, uint32_t segment)
{
	uint32_t offset = segment * SEGMENT;
	struct daq_hdr hdr = {
		.dst = { 2, 0xda, 0xc0, 0, 0, 0 }, .src = { 2, 0xda, 0xc0, 0, 0, channel },
		.ethertype = htons(DAQ_ETHERTYPE), .version = DAQ_HDR_VERSION,
		.channel = htons(channel), .frame = htonl(frame), .segment = htonl(segment),
		.offset = htonl(offset), .payload_len = htonl(SEGMENT), .frame_len = htonl(FRAME),
		.sample = htobe64(0x0102030400000000 + ((uint64_t)frame * FRAME + offset) / 2),
		.timestamp = htobe64(1763800801000000840 + frame),
	};

	if (!segment)
		hdr.flags |= DAQ_HDR_F_SOF;
	if (offset + SEGMENT == FRAME)
		hdr.flags |= DAQ_HDR_F_EOF;
	return hdr;
}

static struct daq_hdr flagged(struct daq_hdr hdr, unsigned int more, uint64_t dropped)
{
	hdr.flags |= more;
	hdr.dropped = htobe64(dropped);
	return hdr;
}

static struct daq_hdr notice_of(unsigned int channel, uint32_t frame, uint32_t segment,
				uint64_t dropped)
{
	struct daq_hdr hdr = segment_of(channel, frame, segment);

	hdr.flags = DAQ_HDR_F_OVERRUN;
	hdr.payload_len = 0;
	hdr.frame_len = hdr.offset;
	hdr.dropped = htobe64(dropped);
	return hdr;
}

static struct daq_hdr with_version(struct daq_hdr hdr, unsigned int version)
{
	hdr.version = version;
	return hdr;
}

static struct daq_hdr with_lengths(struct daq_hdr hdr, uint32_t payload_len, uint32_t frame_len)
{
	hdr.payload_len = htonl(payload_len);
	hdr.frame_len = htonl(frame_len);
	return hdr;
}

/* One field after the other, separated by blanks, and what only some packets have. */
static void expect_line(char *line, size_t size, const struct expected *expected)
{
	const struct daq_hdr *hdr = &expected->hdr;

	snprintf(line, size, "%u|0x%02x|%u|%u|%u|%u|%u|%u|%llu|%llu|%llu|%s|", hdr->version,
		 hdr->flags, ntohs(hdr->channel), ntohl(hdr->frame), ntohl(hdr->segment),
		 ntohl(hdr->offset), ntohl(hdr->payload_len), ntohl(hdr->frame_len),
		 (unsigned long long)be64toh(hdr->sample),
		 (unsigned long long)be64toh(hdr->timestamp),
		 (unsigned long long)be64toh(hdr->dropped), expected->gap);
}

static const char fields[] =
	"-e daq.version -e daq.flags -e daq.channel -e daq.frame -e daq.segment -e daq.offset "
	"-e daq.payload_len -e daq.frame_len -e daq.sample -e daq.timestamp -e daq.dropped "
	"-e daq.lost -e daq.lost.card -e daq.lost.samples -e _ws.expert.message -e _ws.col.info "
	"-e daq.payload";

/* Root's tshark takes no script but those that are installed. */
static const char *as_nobody(void)
{
	return geteuid() ? "" : "setpriv --reuid 65534 --regid 65534 --clear-groups ";
}

static FILE *start_tshark(const char *dissector, const char *path, const char *what)
{
	char command[1024];
	FILE *out;

	snprintf(command, sizeof(command),
		 "HOME=/nonexistent %stshark -n -X lua_script:%s -r %s %s 2>/dev/null",
		 as_nobody(), dissector, path, what);
	out = popen(command, "r");
	if (!out)
		ktap_die("tshark: %s", strerror(errno));
	return out;
}

static bool is_like(const char *line, const struct expected *expected)
{
	char wanted[512];

	expect_line(wanted, sizeof(wanted), expected);
	if (!strncmp(line, wanted, strlen(wanted)) && strstr(line, expected->info) &&
	    (!*expected->message || strstr(line, expected->message)))
		return true;
	printf("# %s# instead of %s, '%s', '%s'\n", line, wanted, expected->message,
	       expected->info);
	return false;
}

static char *payload_of(char *line)
{
	char *payload = strrchr(line, '|') + 1;

	payload[strcspn(payload, "\n")] = '\0';
	return payload;
}

static void test_packets(const char *dissector)
{
	const struct expected expecteds[] = {
		{ segment_of(3, 1000, 0), SEGMENT, "||",
		  "Channel 3 frame 1000 segment 0, 1024 bytes at 0 of 4096 [SOF]", "" },
		/* as taps show them */
		{ segment_of(3, 1000, 1), 0, "||", "1024 bytes at 1024 of 4096|", "" },
		{ flagged(segment_of(3, 1000, 3), DAQ_HDR_F_OVERRUN, 1), 0, "1|1|512",
		  "[EOF OVERRUN], 1 missing before",
		  "1 segment missing before this one, 1 dropped by the card" },
		/* another channel in between, whose frames wrap */
		{ segment_of(4, 0xffffffff, 3), SEGMENT, "||", "Channel 4", "" },
		{ segment_of(4, 0, 0), SEGMENT, "||", "Channel 4 frame 0", "" },
		{ flagged(segment_of(3, 1002, 1), 0, 3), SEGMENT, "5|2|2560", "5 missing before",
		  "2 dropped by the card, the others by the host" },
		{ notice_of(3, 1002, 3, 4), 0, "1|1|512", "notice of a loss [OVERRUN]",
		  "Notice of a loss" },
		{ flagged(segment_of(3, 1002, 3), DAQ_HDR_F_DAMAGED | DAQ_HDR_F_LAST, 4), 0, "||",
		  "[EOF DAMAGED LAST]", "payload is bad" },
		{ segment_of(4, 7, 0), SEGMENT, "27|0|", "27 missing", "" },
		{ segment_of(4, 2, 0), SEGMENT, "||", "Channel 4 frame 2", "The channel was off, or the card reset" },
		/* these count for nothing */
		{ with_version(segment_of(3, 2000, 0), 9), 0, "||", "Malformed", "version 9" },
		{ with_lengths(segment_of(3, 2000, 0), SEGMENT + 1, FRAME), SEGMENT, "||",
		  "Malformed", "1024 bytes of payload, but the header says 1025" },
		{ with_lengths(segment_of(3, 2000, 1), SEGMENT, SEGMENT), 0, "||", "Malformed",
		  "payload beyond the end" },
		{ with_lengths(segment_of(3, 2000, 1), 0, FRAME), 0, "||", "Malformed",
		  "no payload" },
		{ flagged(segment_of(3, 2000, 1), DAQ_HDR_F_SOF, 4), 0, "||", "Malformed",
		  "SOF contradicts" },
		{ flagged(segment_of(3, 2000, 1), DAQ_HDR_F_EOF, 4), 0, "||", "Malformed",
		  "EOF contradicts" },
		{ flagged(segment_of(3, 1003, 0), 0, 4), SEGMENT, "||", "frame 1003 segment 0", "" },
	};
	char path[] = "/tmp/dissector.XXXXXX", line[8192], what[1024];
	char packet[DAQ_HDR_LEN + SEGMENT];
	unsigned int i, wrong = 0, payloads = 0;
	FILE *out;

	memset(packet, 0xa5, sizeof(packet));
	begin_capture(path);
	for (i = 0; i < ARRAY_SIZE(expecteds); i++) {
		memcpy(packet, &expecteds[i].hdr, DAQ_HDR_LEN);
		add_packet(packet, DAQ_HDR_LEN + expecteds[i].payload,
			   DAQ_HDR_LEN + expecteds[i].payload);
	}
	end_capture();

	snprintf(what, sizeof(what), "-T fields -E 'separator=|' %s", fields);
	out = start_tshark(dissector, path, what);
	for (i = 0; i < ARRAY_SIZE(expecteds) && fgets(line, sizeof(line), out); i++) {
		wrong += !is_like(line, &expecteds[i]);
		payloads += strlen(payload_of(line)) == 2 * expecteds[i].payload;
	}
	ktap_eq(i, ARRAY_SIZE(expecteds), "packets: a line for each");
	ktap_eq(wrong, 0, "packets: with every field of the header, and what is missing");
	ktap_eq(payloads, i, "packets: and the payload");
	ktap_eq(pclose(out), 0, "packets: tshark ends well");
	unlink(path);
}

/* How often a word is in what tshark says of all packets. */
static unsigned int count_word(FILE *out, const char *word)
{
	unsigned int count = 0;
	char line[8192];

	while (fgets(line, sizeof(line), out))
		count += strstr(line, word) != NULL;
	return count;
}

static void add_garbage(unsigned int count)
{
	unsigned char packet[256];
	unsigned int i, k, len;

	srand(1);
	for (i = 0; i < count; i++) {
		for (k = 0; k < sizeof(packet); k++)
			packet[k] = rand();
		packet[12] = DAQ_ETHERTYPE >> 8;
		packet[13] = DAQ_ETHERTYPE & 0xff;
		/* some of it plausible */
		if (i % 2)
			packet[14] = DAQ_HDR_VERSION;
		if (i % 4 == 3)
			memset(packet + 24, 0, 8);
		len = BEHIND_ETHERTYPE + rand() % (sizeof(packet) - BEHIND_ETHERTYPE);
		add_packet(packet, i % 3 ? len : len / 2, len);
	}
}

/* Packets that were cut off at every length, and what makes no sense at all. */
static void test_garbage(const char *dissector)
{
	char path[] = "/tmp/dissector.XXXXXX";
	struct daq_hdr hdr = segment_of(1, 5, 1);
	unsigned int i;
	FILE *out;

	begin_capture(path);
	for (i = BEHIND_ETHERTYPE; i < DAQ_HDR_LEN; i++)
		add_packet(&hdr, i, DAQ_HDR_LEN + SEGMENT);
	for (i = BEHIND_ETHERTYPE; i < DAQ_HDR_LEN; i++)
		add_packet(&hdr, i, i);
	add_garbage(500);
	end_capture();

	out = start_tshark(dissector, path, "-V");
	ktap_eq(count_word(out, "Lua Error"), 0, "garbage: the dissector survives it");
	ktap_eq(pclose(out), 0, "garbage: and tshark");
	out = start_tshark(dissector, path, "-Y daq.truncated -T fields -e frame.number");
	ktap_ok(count_word(out, "") >= DAQ_HDR_LEN - BEHIND_ETHERTYPE,
		"garbage: it tells of packets that were cut off");
	pclose(out);
	out = start_tshark(dissector, path, "-Y daq.malformed -T fields -e frame.number");
	ktap_ok(count_word(out, "") >= DAQ_HDR_LEN - BEHIND_ETHERTYPE + 200,
		"garbage: and of what is no segment");
	pclose(out);
	unlink(path);
}

int main(int argc, char **argv)
{
	const char *document = argc > 2 ? argv[1] : "Documentation/frame-format.rst";
	const char *dissector = argc > 2 ? argv[2] : "tools/wireshark/daq.lua";

	ktap_begin();
	test_layout(document, dissector);
	if (system("command -v tshark >/dev/null")) {
		ktap_skip("packets", "there is no tshark");
		return ktap_end();
	}
	test_packets(dissector);
	test_garbage(dissector);
	return ktap_end();
}
