// SPDX-License-Identifier: GPL-2.0
/* A host for the card model, see card_host.h. */
#include "card_host.h"

struct host host;
struct daq_model model;
u32 posted[QUEUES];
u32 sent[QUEUES];

u8 *memory_at(u64 addr, u64 len)
{
	if (addr < BASE || addr - BASE + len > MEMORY) {
		host.outside++;
		return NULL;
	}
	if (len > host.longest)
		host.longest = len;
	return host.memory + (addr - BASE);
}

bool host_read(void *ctx, u64 addr, void *buf, u32 len)
{
	u8 *from = memory_at(addr, len);

	(void)ctx;
	if (from)
		memcpy(buf, from, len);
	else
		memset(buf, 0, len);
	return from;
}

bool host_write(void *ctx, u64 addr, const void *buf, u32 len)
{
	u8 *to = memory_at(addr, len);

	(void)ctx;
	if (to)
		memcpy(to, buf, len);
	return to;
}

/* Every other buffer; the others are written to piece by piece. */
static void *host_direct(void *ctx, u64 addr, u32 len)
{
	(void)ctx;
	if (addr < BASE || addr - BASE + len > MEMORY || !(addr & BUF))
		return NULL;
	return host.memory + (addr - BASE);
}

static enum daq_tamper host_tamper(void *ctx, u32 channel, u64 addr, struct daq_rx_cmpl *cmpl)
{
	enum daq_tamper tamper = host.tamper;

	(void)ctx;
	if (tamper != DAQ_TAMPER_NONE) {
		host.tampered = addr;
		cmpl->reserved = cpu_to_le64(channel + 1);
	}
	host.tamper = DAQ_TAMPER_NONE;
	return tamper;
}

static bool host_publish(void *ctx, u64 addr, __le32 word)
{
	return host_write(ctx, addr, &word, sizeof(word));
}

static void host_raise(void *ctx, unsigned int vector)
{
	(void)ctx;
	host.raised[vector]++;
}

static u64 host_now(void *ctx)
{
	(void)ctx;
	return host.now;
}

static void host_cable(void *ctx)
{
	(void)ctx;
	host.cabled++;
	host.kicked = true;
}

static __le32 *host_user(void *ctx, u32 channel)
{
	(void)ctx;
	return host.user[channel];
}

static u32 outside_peek(void *ctx, u32 channel, u64 pos, u32 len, bool *last)
{
	u64 have = host.attached.there - min(pos, host.attached.there);

	(void)ctx;
	(void)channel;
	*last = host.attached.ended && have <= len;
	return have > len ? len : *last ? have : 0;
}

static void outside_pull(void *ctx, u32 channel, u64 pos, void *buf, u32 len)
{
	u32 i;

	(void)ctx;
	(void)channel;
	host.attached.early += pos < host.attached.released ||
			      pos + len > host.attached.there;
	for (i = 0; i < len; i++)
		((u8 *)buf)[i] = outside_byte(pos + i);
}

static void outside_release(void *ctx, u32 channel, u64 pos)
{
	(void)ctx;
	(void)channel;
	host.attached.released = pos;
}

static bool outside_room(void *ctx, u32 channel, u32 len)
{
	(void)ctx;
	(void)channel;
	(void)len;
	if (!host.attached.full)
		return true;
	host.attached.full--;
	return false;
}

static void outside_push(void *ctx, u32 channel, const void *buf, u32 len)
{
	struct attached *attached = &host.attached;

	(void)ctx;
	(void)channel;
	if (len > sizeof(attached->played) - attached->length)
		return;
	memcpy(attached->played + attached->length, buf, len);
	attached->length += len;
}

static const struct daq_model_outside outside = {
	outside_peek, outside_pull, outside_release, outside_room, outside_push,
};

const struct daq_model_host card_services = {
	.read = host_read, .write = host_write, .direct = host_direct,
	.publish = host_publish, .tamper = host_tamper, .raise = host_raise,
	.now = host_now, .cable = host_cable, .user = host_user,
	.outside = &outside,
};

void write64(u32 reg, u64 val)
{
	daq_model_write(&model, reg, val);
	daq_model_write(&model, reg + 4, val >> 32);
}

u64 read64(u32 reg)
{
	return daq_model_read(&model, reg) | (u64)daq_model_read(&model, reg + 4) << 32;
}

void set_queue(u32 q, u32 reg, u32 val)
{
	daq_model_write(&model, DAQ_REG_QUEUE(q) + reg, val);
}

void set_chan(u32 ch, u32 reg, u32 val)
{
	daq_model_write(&model, DAQ_REG_CHAN(ch) + reg, val);
}

u64 counter(u32 ch, u32 reg)
{
	return read64(DAQ_REG_CHAN(ch) + reg);
}

void start_queue(u32 q)
{
	write64(DAQ_REG_QUEUE(q) + DAQ_QUEUE_STATUS, STATUS(q));
	write64(DAQ_REG_QUEUE(q) + DAQ_QUEUE_RX_DESC, RX_DESC(q));
	write64(DAQ_REG_QUEUE(q) + DAQ_QUEUE_RX_CMPL, RX_CMPL(q));
	write64(DAQ_REG_QUEUE(q) + DAQ_QUEUE_TX_DESC, TX_DESC(q));
	set_queue(q, DAQ_QUEUE_RX_SIZE, RING);
	set_queue(q, DAQ_QUEUE_RX_BUF, BUF);
	set_queue(q, DAQ_QUEUE_RX_HEAD, HEAD);
	set_queue(q, DAQ_QUEUE_RX_HEAD_LEN, HEAD_LEN);
	set_queue(q, DAQ_QUEUE_RX_FRAMES, 1);
	set_queue(q, DAQ_QUEUE_RX_USECS, 1000000);
	set_queue(q, DAQ_QUEUE_RX_LOW, 0);
	set_queue(q, DAQ_QUEUE_TX_SIZE, RING);
	set_queue(q, DAQ_QUEUE_TX_FRAMES, 1);
	set_queue(q, DAQ_QUEUE_CTRL, DAQ_QUEUE_CTRL_RX | DAQ_QUEUE_CTRL_TX);
	posted[q] = 0;
	sent[q] = 0;
	memset(host.memory + (STATUS(q) - BASE), 0, sizeof(struct daq_queue_status));
}

void power_on_with(u32 channels, u32 caps)
{
	u32 q;

	if (!host.memory)
		host.memory = malloc(MEMORY);
	if (!host.memory)
		ktap_die("no memory");
	memset(host.memory, POISON, MEMORY);
	memset(host.raised, 0, sizeof(host.raised));
	host.now = 1000000007;
	host.outside = 0;
	host.longest = 0;
	memset(&host.attached, 0, sizeof(host.attached));
	memset(host.user, 0, sizeof(host.user));
	host.tamper = DAQ_TAMPER_NONE;
	daq_model_init(&model, &card_services, NULL, channels, caps);
	for (q = 0; q < channels; q++)
		start_queue(q);
}

void power_on(u32 channels)
{
	power_on_with(channels, DAQ_CAP_IRQ | DAQ_CAP_AUTO);
}

u64 buffer(u32 q, u32 index)
{
	return BUFS(q) + (u64)(index % RING) * BUF;
}

void post(u32 q, u32 count)
{
	struct daq_rx_desc desc;

	for (; count; count--) {
		desc.addr = cpu_to_le64(buffer(q, posted[q]));
		host_write(NULL, RX_DESC(q) + sizeof(desc) * (posted[q] % RING), &desc,
			   sizeof(desc));
		posted[q]++;
	}
	daq_model_doorbell(&model, DAQ_REG_QUEUE(q) + DAQ_QUEUE_RX_PROD, posted[q]);
}

void start_chan(u32 ch, u32 source, u32 sample, u32 segment, u32 frame, u64 rate)
{
	set_chan(ch, DAQ_CHAN_CTRL, 0);
	set_chan(ch, DAQ_CHAN_SOURCE, source);
	set_chan(ch, DAQ_CHAN_SAMPLE_BYTES, sample);
	set_chan(ch, DAQ_CHAN_SEGMENT_BYTES, segment);
	set_chan(ch, DAQ_CHAN_FRAME_BYTES, frame);
	write64(DAQ_REG_CHAN(ch) + DAQ_CHAN_RATE, rate);
	write64(DAQ_REG_CHAN(ch) + DAQ_CHAN_MAC, 0x020304050607);
	set_chan(ch, DAQ_CHAN_CTRL, DAQ_CHAN_CTRL_ENABLE);
}

/* Lets card time pass until the card has nothing to do before @end. */
void run_until(u64 end)
{
	u64 next;

	for (;;) {
		host.kicked = false;
		next = daq_model_step(&model);
		if (host.kicked)
			continue;
		if (next > end)
			break;
		if (next > host.now)
			host.now = next;
	}
	host.now = end;
}

void run(u64 ns)
{
	run_until(host.now + ns);
}

/* So many segments of a generator that was just started. */
void run_segments(u32 ch, u64 count)
{
	const struct daq_model_chan *c = &model.chan[ch];

	run(count * c->segment_bytes / c->sample_bytes * NSEC_PER_SEC / c->rate);
}

u32 reported(u32 q)
{
	struct daq_queue_status status;

	host_read(NULL, STATUS(q), &status, sizeof(status));
	return le32_to_cpu(status.rx);
}

u32 tx_reported(u32 q)
{
	struct daq_queue_status status;

	host_read(NULL, STATUS(q), &status, sizeof(status));
	return le32_to_cpu(status.tx);
}

void start_stats(u32 ch)
{
	memset(memory_at(STATS(ch), sizeof(struct daq_chan_stats)), 0,
	       sizeof(struct daq_chan_stats));
	write64(DAQ_REG_CHAN(ch) + DAQ_CHAN_STATS, STATS(ch));
}

u32 stats_index(u32 ch)
{
	__le32 index;

	host_read(NULL, STATS(ch) + offsetof(struct daq_chan_stats, index), &index, sizeof(index));
	return le32_to_cpu(index);
}

struct daq_chan_report stats_of(u32 ch)
{
	struct daq_chan_stats stats;

	host_read(NULL, STATS(ch), &stats, sizeof(stats));
	return stats.report[le32_to_cpu(stats.index) % 2];
}

struct daq_rx_cmpl completion(u32 q, u32 n)
{
	struct daq_rx_cmpl cmpl;

	host_read(NULL, RX_CMPL(q) + sizeof(cmpl) * (n % RING), &cmpl, sizeof(cmpl));
	return cmpl;
}

const u8 *head_of(u32 q, u32 n)
{
	struct daq_rx_cmpl cmpl = completion(q, n);

	return memory_at(buffer(q, le16toh(cmpl.first)) + HEAD, HEAD_LEN);
}

struct daq_hdr header(u32 q, u32 n)
{
	struct daq_hdr hdr;

	memcpy(&hdr, head_of(q, n), sizeof(hdr));
	return hdr;
}

bool is_counter(const u8 *data, u64 first_byte, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++) {
		u64 at = first_byte + i;

		if (data[i] != (u8)(at / 8 >> 8 * (at % 8)))
			return false;
	}
	return true;
}

void arm(u32 q, u32 rx, u32 tx)
{
	daq_model_doorbell(&model, DAQ_REG_QUEUE(q) + DAQ_QUEUE_IRQ_ARM, (rx & 0xffff) | tx << 16);
}

void send_at(u64 launch, u32 q, u64 addr, u32 len, u32 flags)
{
	struct daq_tx_desc desc = {
		.addr = cpu_to_le64(addr), .len = cpu_to_le32(len), .flags = cpu_to_le32(flags),
		.launch = cpu_to_le64(launch),
	};

	host_write(NULL, TX_DESC(q) + sizeof(desc) * (sent[q] % RING), &desc, sizeof(desc));
	sent[q]++;
	daq_model_doorbell(&model, DAQ_REG_QUEUE(q) + DAQ_QUEUE_TX_PROD, sent[q]);
}

void send_desc(u32 q, u64 addr, u32 len, u32 flags)
{
	send_at(0, q, addr, len, flags);
}

void make_segment(u32 payload, u8 flags)
{
	struct daq_hdr hdr = {
		.ethertype = htobe16(DAQ_ETHERTYPE), .version = DAQ_HDR_VERSION, .flags = flags,
		.channel = htobe16(77), .frame = htobe32(1234), .segment = htobe32(5),
		.payload_len = htobe32(payload), .frame_len = htobe32(payload),
		.sample = htobe64(99), .dropped = htobe64(42),
	};
	u32 i;

	host_write(NULL, TX_DATA, &hdr, sizeof(hdr));
	for (i = 0; i < payload; i++)
		host.memory[TX_DATA - BASE + 64 + i] = i * 7 + i / 256;
}
