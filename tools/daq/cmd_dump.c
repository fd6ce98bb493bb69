// SPDX-License-Identifier: GPL-2.0
/*
 * One line per header, from a packet tap: what consumers receive, without touching it.
 *
 * Loss is worked out from all headers; what the user wants to see is chosen after that,
 * for a line that is not shown is not lost.
 */
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daq.h"
#include "dump.h"

static const char help[] =
	"Usage: daq dump IFNAME [OPTIONS] [FILTER]\n"
	"       daq dump -r FILE [OPTIONS] [FILTER]\n"
	"\n"
	"Shows the header of each segment, also of those that zero-copy consumers get,\n"
	"whom this does not disturb, and what was lost before it. Times are the card's.\n"
	"FILTER is as of pcap-filter(7); loss is seen whatever it leaves out.\n"
	"\n"
	"  -c, --channel LIST   only these: 3, 0-7, 0,2,5 or all\n"
	"  -f, --frames         one line per frame\n"
	"  -g, --gaps           only what has a loss before it\n"
	"  -n, --count N        end after N lines, or headers written\n"
	"  -j, --json           one JSON object per line\n"
	"  -r, --read FILE      from a pcap or pcapng file; - is standard input\n"
	"  -w, --write FILE     write headers to a pcap file instead, with the card's\n"
	"                       times in ns; - is standard output\n"
	"\n"
	"Examples:\n"
	"  daq dump daq0 -n 10\n"
	"  daq dump daq0 -c 3 --gaps\n"
	"  daq dump daq0 --frames 'ether[15] & 0x04 != 0'\n"
	"  daq dump daq0 -w headers.pcap && daq dump -r headers.pcap\n";

/* A header, or the beginning of another packet, is all there is to see. */
#define SNAP_BYTES	128
#define TAP_BYTES	(16 << 20)
/* What headers may wait in the kernel for others. */
#define TAP_WAIT_MS	100

struct channel {
	struct trace trace;
	struct frame frame;
	uint64_t segments;
	uint64_t lost;
	uint64_t unseen;
};

struct dump {
	const char *ifname;
	const char *read;
	const char *write;
	uint64_t channels;
	uint64_t count;
	bool frames;
	bool gaps;
	bool json;

	pcap_t *pcap;
	pcap_dumper_t *dumper;
	struct bpf_program wanted;	/* the user's FILTER */
	bool filtered;
	struct channel channel[DAQ_MAX_CHANNELS];
	uint64_t shown;
	uint64_t malformed;
	uint64_t missed;	/* by the tap, of which headers cannot tell */
	uint64_t explained;	/* so many of them */
};

static pcap_t *tap;

static void stop(int signal)
{
	(void)signal;
	interrupted = true;
	pcap_breakloop(tap);
}

static bool is_over(struct dump *dump)
{
	return dump->count && dump->shown >= dump->count;
}

static void end_frame(struct dump *dump, struct frame *frame)
{
	bool gap = frame->missing.segments > frame->unseen || frame->missing.restarted;

	if (frame->begun && (gap || !dump->gaps) && !is_over(dump)) {
		show_frame(dump->json, frame);
		dump->shown++;
	}
	memset(frame, 0, sizeof(*frame));
}

static void add_to_frame(struct dump *dump, struct frame *frame, const struct header *header,
			 const struct missing *missing, uint64_t unseen)
{
	if (frame->begun && frame->first.frame != header->frame)
		end_frame(dump, frame);
	if (!frame->segments && header->bytes) {
		/* not the rest of what began before us */
		frame->begun = header->segment == 0 || missing->segments;
		frame->first = *header;
	}
	frame->segments += header->bytes > 0;
	frame->bytes += header->bytes;
	frame->flags |= header->flags;
	frame->missing.segments += missing->segments;
	frame->missing.samples += missing->samples;
	frame->missing.by_card += missing->by_card;
	frame->missing.restarted |= missing->restarted;
	frame->unseen += unseen;
	if (header->flags & DAQ_HDR_F_EOF)
		end_frame(dump, frame);
}

/*
 * Of what the card does not say it dropped, the tap may have missed some: as many as it
 * counted are not taken for a loss.
 */
static uint64_t count_unseen(struct dump *dump, const struct missing *missing)
{
	uint64_t unseen = missing->segments - missing->by_card;
	struct pcap_stat stat;

	if (!unseen || dump->read || pcap_stats(dump->pcap, &stat) < 0)
		return 0;
	dump->missed = stat.ps_drop;
	if (unseen > dump->missed - dump->explained)
		unseen = dump->missed - dump->explained;
	dump->explained += unseen;
	return unseen;
}

static bool is_wanted(const struct dump *dump, const struct pcap_pkthdr *packet,
		      const u_char *bytes)
{
	return !dump->filtered || pcap_offline_filter(&dump->wanted, packet, bytes);
}

static void write_header(struct dump *dump, const struct header *header,
			 const struct pcap_pkthdr *packet, const u_char *bytes)
{
	struct pcap_pkthdr copy = *packet;

	copy.caplen = DAQ_HDR_LEN;
	copy.len = DAQ_HDR_LEN + header->bytes;
	copy.ts.tv_sec = header->timestamp / 1000000000;
	/* the file says that these are ns */
	copy.ts.tv_usec = header->timestamp % 1000000000;
	pcap_dump((u_char *)dump->dumper, &copy, bytes);
}

static void show(struct dump *dump, const struct header *header, const struct missing *missing,
		 uint64_t unseen, const struct pcap_pkthdr *packet, const u_char *bytes)
{
	bool gap = missing->segments > unseen || missing->restarted;

	if (dump->gaps && !gap)
		return;
	if (dump->dumper)
		write_header(dump, header, packet, bytes);
	else
		show_segment(dump->json, header, missing, unseen);
	dump->shown++;
}

static void take_packet(u_char *user, const struct pcap_pkthdr *packet, const u_char *bytes)
{
	struct dump *dump = (struct dump *)user;
	struct channel *channel;
	struct missing missing;
	struct header header;
	uint64_t unseen;

	if (is_over(dump))
		return;
	if (!header_read(&header, bytes, packet->caplen)) {
		dump->malformed++;
		return;
	}
	if (!(dump->channels & 1ull << header.channel))
		return;
	channel = &dump->channel[header.channel];
	trace_follow(&channel->trace, &header, &missing);
	unseen = count_unseen(dump, &missing);
	channel->segments += header.bytes > 0;
	channel->lost += missing.segments - unseen;
	channel->unseen += unseen;
	if (!is_wanted(dump, packet, bytes))
		return;
	if (dump->frames)
		add_to_frame(dump, &channel->frame, &header, &missing, unseen);
	else
		show(dump, &header, &missing, unseen, packet, bytes);
	if (is_over(dump))
		pcap_breakloop(dump->pcap);
}

static int pcap_failure(const struct dump *dump, int status)
{
	if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED)
		return failure("%s: a packet tap needs CAP_NET_RAW (root)", dump->ifname);
	if (status == PCAP_ERROR_NO_SUCH_DEVICE)
		return failure("no such interface: %s", dump->ifname);
	if (status == PCAP_ERROR_IFACE_NOT_UP)
		return failure("%s is down: ip link set %s up", dump->ifname, dump->ifname);
	return failure("%s: %s", dump->read ? dump->read : dump->ifname, pcap_geterr(dump->pcap));
}

static int open_file(struct dump *dump)
{
	char error[PCAP_ERRBUF_SIZE];

	dump->pcap = pcap_open_offline_with_tstamp_precision(dump->read,
							     PCAP_TSTAMP_PRECISION_NANO, error);
	if (!dump->pcap)
		return failure("%s", error);
	if (pcap_datalink(dump->pcap) != DLT_EN10MB)
		return failure("%s has no Ethernet packets", dump->read);
	return EXIT_OK;
}

/* So that the kernel keeps what cannot be of use. */
static int filter_kernel(struct dump *dump)
{
	char text[64 * DAQ_MAX_CHANNELS];
	struct bpf_program program;
	const char *separator = " and (";
	size_t len;
	int i, ret;

	len = snprintf(text, sizeof(text), "ether proto %#x", DAQ_ETHERTYPE);
	for (i = 0; i < DAQ_MAX_CHANNELS && dump->channels != UINT64_MAX; i++) {
		if (!(dump->channels & 1ull << i))
			continue;
		len += snprintf(text + len, sizeof(text) - len, "%sether[16:2] = %d", separator, i);
		separator = " or ";
	}
	if (dump->channels != UINT64_MAX)
		snprintf(text + len, sizeof(text) - len, ")");
	if (pcap_compile(dump->pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return pcap_failure(dump, PCAP_ERROR);
	ret = pcap_setfilter(dump->pcap, &program);
	pcap_freecode(&program);
	return ret < 0 ? pcap_failure(dump, ret) : EXIT_OK;
}

static int open_tap(struct dump *dump)
{
	char error[PCAP_ERRBUF_SIZE];
	int status;

	dump->pcap = pcap_create(dump->ifname, error);
	if (!dump->pcap)
		return failure("%s", error);
	pcap_set_snaplen(dump->pcap, SNAP_BYTES);
	pcap_set_buffer_size(dump->pcap, TAP_BYTES);
	pcap_set_timeout(dump->pcap, TAP_WAIT_MS);
	status = pcap_activate(dump->pcap);
	if (status < 0)
		return pcap_failure(dump, status);
	/* not what is played */
	if (pcap_setdirection(dump->pcap, PCAP_D_IN) < 0)
		return pcap_failure(dump, PCAP_ERROR);
	return filter_kernel(dump);
}

/* The sizes, so that the first gap can be told; what is no card has segments, too. */
static void know_formats(struct dump *dump)
{
	struct daq_format format;
	struct daq_card *card;
	unsigned int i;

	if (dump->read || daq_card__open(dump->ifname, NULL, &card) < 0)
		return;
	for (i = 0; i < daq_card__channels(card); i++) {
		if (daq_card__format(card, i, &format) < 0)
			continue;
		dump->channel[i].trace.segment_bytes = format.segment_bytes;
		dump->channel[i].trace.sample_bytes = format.sample_bytes;
	}
	daq_card__close(card);
}

static int open_output(struct dump *dump)
{
	pcap_t *dead;

	if (!dump->write)
		return EXIT_OK;
	dead = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAP_BYTES,
						    PCAP_TSTAMP_PRECISION_NANO);
	if (!dead)
		return failure("no memory");
	dump->dumper = pcap_dump_open(dead, dump->write);
	if (!dump->dumper)
		failure("%s", pcap_geterr(dead));
	pcap_close(dead);
	return dump->dumper ? EXIT_OK : EXIT_FAILED;
}

static int compile_filter(struct dump *dump, int argc, char **argv)
{
	size_t size = 1;
	char *text;
	int i, ret;

	if (!argc)
		return EXIT_OK;
	for (i = 0; i < argc; i++)
		size += strlen(argv[i]) + 1;
	text = calloc(1, size);
	if (!text)
		return failure("no memory");
	for (i = 0; i < argc; i++) {
		strcat(text, argv[i]);
		strcat(text, " ");
	}
	ret = pcap_compile(dump->pcap, &dump->wanted, text, 1, PCAP_NETMASK_UNKNOWN);
	free(text);
	if (ret < 0)
		return failure("filter: %s", pcap_geterr(dump->pcap));
	dump->filtered = true;
	return EXIT_OK;
}

static void catch_stop(struct dump *dump)
{
	struct sigaction action = { .sa_handler = stop };

	tap = dump->pcap;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Output leaves when all that was waiting is shown: nobody waits for a full buffer. */
static int flush(struct dump *dump)
{
	if (dump->dumper && pcap_dump_flush(dump->dumper) < 0)
		return failure("cannot write %s: %s", dump->write, strerror(errno));
	if (!dump->dumper && (fflush(stdout) == EOF || ferror(stdout)))
		return errno == EPIPE ? EXIT_FAILED :
					failure("cannot write: %s", strerror(errno));
	return EXIT_OK;
}

static int receive(struct dump *dump)
{
	int ret = EXIT_OK;
	int status;

	while (!ret && !interrupted && !is_over(dump)) {
		status = pcap_dispatch(dump->pcap, -1, take_packet, (u_char *)dump);
		ret = flush(dump);
		if (status == PCAP_ERROR)
			return pcap_failure(dump, status);
		if (status == PCAP_ERROR_BREAK || (status == 0 && dump->read))
			break;
	}
	return ret;
}

static void summarise(struct dump *dump)
{
	uint64_t segments = 0, lost = 0, unseen = 0;
	struct pcap_stat stat;
	unsigned int i;

	for (i = 0; i < DAQ_MAX_CHANNELS; i++) {
		segments += dump->channel[i].segments;
		lost += dump->channel[i].lost;
		unseen += dump->channel[i].unseen;
	}
	fprintf(stderr, "%" PRIu64 " segments, %" PRIu64 " lost", segments, lost);
	if (dump->malformed)
		fprintf(stderr, ", %" PRIu64 " malformed", dump->malformed);
	if (!dump->read && pcap_stats(dump->pcap, &stat) == 0)
		dump->missed = stat.ps_drop;
	if (dump->missed)
		fprintf(stderr, "; daq dump itself was too slow for %" PRIu64 " headers, %" PRIu64
			" of which show as not seen", dump->missed, unseen);
	fputc('\n', stderr);
}

static int run(struct dump *dump, int argc, char **argv)
{
	int ret = dump->read ? open_file(dump) : open_tap(dump);

	if (!ret)
		ret = compile_filter(dump, argc, argv);
	if (!ret)
		ret = open_output(dump);
	if (ret)
		return ret;
	know_formats(dump);
	catch_stop(dump);
	if (!dump->read)
		fprintf(stderr, "listening on %s\n", dump->ifname);
	ret = receive(dump);
	summarise(dump);
	return ret;
}

static bool take_option(struct dump *dump, int option, const char *text)
{
	switch (option) {
	case 'c':
		return parse_channels(text, &dump->channels);
	case 'n':
		return parse_count(text, &dump->count) && dump->count > 0;
	case 'f':
		dump->frames = true;
		return true;
	case 'g':
		dump->gaps = true;
		return true;
	case 'j':
		dump->json = true;
		return true;
	case 'r':
		dump->read = text;
		return true;
	default:
		dump->write = text;
		return true;
	}
}

int cmd_dump(int argc, char **argv)
{
	static const struct option options[] = {
		{ "channel", required_argument, NULL, 'c' },
		{ "frames", no_argument, NULL, 'f' },
		{ "gaps", no_argument, NULL, 'g' },
		{ "count", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "read", required_argument, NULL, 'r' },
		{ "write", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	static struct dump dump = { .channels = UINT64_MAX };
	int option, ret;

	while ((option = getopt_long(argc, argv, "c:fgn:jr:w:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return EXIT_OK;
		}
		if (option == '?')
			return EXIT_USAGE;
		if (!take_option(&dump, option, optarg))
			return option_error("dump", options, option, optarg);
	}
	if (!dump.read && optind == argc)
		return usage_error("dump", "name an interface, or --read FILE");
	if (dump.write && (dump.frames || dump.json))
		return usage_error("dump", "--write has the headers, neither --frames nor --json");
	if (!dump.read)
		dump.ifname = argv[optind++];

	ret = run(&dump, argc - optind, argv + optind);
	if (dump.dumper)
		pcap_dump_close(dump.dumper);
	if (dump.filtered)
		pcap_freecode(&dump.wanted);
	if (dump.pcap)
		pcap_close(dump.pcap);
	return ret;
}
