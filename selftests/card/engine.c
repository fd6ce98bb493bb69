// SPDX-License-Identifier: GPL-2.0
/*
 * The engine: runs the card model, and with it all DMA.
 *
 * Register writes go through a queue, in order: they may make the card do DMA,
 * and by messages that takes a client that is not waiting for an access. Only
 * doorbells that find the queue empty go straight to the model.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include "card.h"

/* What a read waits for a write before it, s: for ever, unless there is a bug. */
#define ENGINE_PATIENCE		2

static struct engine *engine_of(void *ctx)
{
	return &((struct card *)ctx)->engine;
}

/* Services for the model */

static bool engine_dma_read(void *ctx, u64 addr, void *buf, u32 len)
{
	return dma_read(&((struct card *)ctx)->dma, addr, buf, len);
}

static bool engine_dma_write(void *ctx, u64 addr, const void *buf, u32 len)
{
	return dma_write(&((struct card *)ctx)->dma, addr, buf, len);
}

static void *engine_dma_direct(void *ctx, u64 addr, u32 len)
{
	return dma_direct(&((struct card *)ctx)->dma, addr, len, DMA_WRITABLE);
}

/* Return: queue whose completions are reported at @addr, else DAQ_MAX_CHANNELS. */
static u32 engine_find_status(const struct daq_model *m, u64 addr)
{
	u32 i;

	for (i = 0; i < m->channels; i++)
		if (m->queue[i].status + offsetof(struct daq_queue_status, rx) == addr)
			return i;
	return DAQ_MAX_CHANNELS;
}

static bool engine_dma_publish(void *ctx, u64 addr, __le32 word)
{
	struct card *card = ctx;
	u32 queue = engine_find_status(&card->engine.model, addr);

	if (fault_strikes(&card->faults, FAULT_REPORT, queue)) {
		/* More than any ring has. */
		word ^= cpu_to_le32(1u << (16 + fault_random(&card->faults) % 16));
		log_fact(&card->log, "fault kind=report channel=%u", queue);
	}
	return dma_publish(&card->dma, addr, word);
}

static void engine_raise(void *ctx, unsigned int vector)
{
	struct card *card = ctx;

	if (READ_ONCE(card->engine.mode) == ENGINE_GONE)
		return;
	if (fault_strikes(&card->faults, FAULT_LOST_IRQ, vector))
		log_fact(&card->log, "fault kind=lost-irq channel=%u", vector);
	else
		irqs_raise(&card->irqs, vector);
}

static void engine_log_fault(struct card *card, enum fault_kind kind, u32 channel,
			     const struct daq_rx_cmpl *cmpl)
{
	log_fact(&card->log, "fault kind=%s channel=%u frame=%u timestamp=%llu", fault_name(kind),
		 channel, le32_to_cpu(cmpl->frame),
		 (unsigned long long)le64_to_cpu(cmpl->timestamp));
}

static void engine_flip_byte(struct card *card, u64 addr)
{
	u8 byte;

	if (!dma_read(&card->dma, addr, &byte, 1))
		return;
	byte ^= 1 << fault_random(&card->faults) % 8;
	dma_write(&card->dma, addr, &byte, 1);
}

/* A length that cannot be, or just not that of this segment. */
static u32 engine_bad_length(struct card *card, u32 len)
{
	const u32 lengths[] = { 0, 1, len + 1, len - 1, 0x7fffffff, UINT32_MAX };

	return lengths[fault_random(&card->faults) % ARRAY_SIZE(lengths)];
}

/* Buffers that there are not, or no segment has, with a length that needs them. */
static void engine_spoil_buffers(struct card *card, u32 channel, struct daq_rx_cmpl *cmpl)
{
	const u16 counts[] = { 0, DAQ_SEG_BUFS + 1, 4096, UINT16_MAX };
	const struct daq_model *m = &card->engine.model;
	u32 buf = m->queue[m->chan[channel].queue].rx_buf;
	u16 bufs = counts[fault_random(&card->faults) % ARRAY_SIZE(counts)];

	cmpl->bufs = cpu_to_le16(bufs);
	cmpl->flags |= cpu_to_le16(DAQ_RX_F_SPLIT);
	cmpl->len = cpu_to_le32(DAQ_HDR_LEN + (bufs - 1u) * buf);
}

static void engine_spoil(struct card *card, enum fault_kind kind, u32 channel,
			 struct daq_rx_cmpl *cmpl)
{
	switch (kind) {
	case FAULT_LENGTH:
		cmpl->len = cpu_to_le32(engine_bad_length(card, le32_to_cpu(cmpl->len)));
		break;
	case FAULT_INDEX:
		cmpl->first = ~cmpl->first;
		break;
	case FAULT_BUFFERS:
		engine_spoil_buffers(card, channel, cmpl);
		break;
	default:
		cmpl->channel = ~cmpl->channel;
	}
}

/* A fault for each kind that there is by chance, but one only that spoils @cmpl. */
static enum daq_tamper engine_tamper(void *ctx, u32 channel, u64 addr, struct daq_rx_cmpl *cmpl)
{
	struct card *card = ctx;
	struct faults *faults = &card->faults;
	const struct daq_rx_cmpl was = *cmpl;
	u32 kind;

	card->late.last[channel] = addr;
	gauges_note(&card->gauges, &card->engine.model, channel, cmpl);
	if (fault_strikes(faults, FAULT_DROP, channel)) {
		engine_log_fault(card, FAULT_DROP, channel, &was);
		return DAQ_TAMPER_DROP;
	}
	/* A header alone has nothing to be damaged. */
	if (le32_to_cpu(cmpl->len) > DAQ_HDR_LEN &&
	    fault_strikes(faults, FAULT_CORRUPT, channel)) {
		engine_log_fault(card, FAULT_CORRUPT, channel, &was);
		engine_flip_byte(card, addr);
	}
	if (fault_strikes(faults, FAULT_SPURIOUS_IRQ, channel)) {
		engine_log_fault(card, FAULT_SPURIOUS_IRQ, channel, &was);
		irqs_raise(&card->irqs, channel);
	}
	for (kind = FAULT_LENGTH; kind < FAULT_LATE_DMA; kind++) {
		if (!fault_strikes(faults, kind, channel))
			continue;
		engine_log_fault(card, kind, channel, &was);
		engine_spoil(card, kind, channel, cmpl);
		break;
	}
	if (!fault_strikes(faults, FAULT_DUPLICATE, channel))
		return DAQ_TAMPER_NONE;
	engine_log_fault(card, FAULT_DUPLICATE, channel, &was);
	return DAQ_TAMPER_TWICE;
}

static u64 engine_now(void *ctx)
{
	(void)ctx;
	return card_time();
}

static u32 engine_peek(void *ctx, u32 channel, u64 pos, u32 len, bool *last)
{
	struct feed *feed = ((struct card *)ctx)->opt.input[channel];

	return feed ? feed_peek(feed, pos, len, last) : 0;
}

static void engine_pull(void *ctx, u32 channel, u64 pos, void *buf, u32 len)
{
	feed_pull(((struct card *)ctx)->opt.input[channel], pos, buf, len);
}

static void engine_release(void *ctx, u32 channel, u64 pos)
{
	struct feed *feed = ((struct card *)ctx)->opt.input[channel];

	if (feed)
		feed_release(feed, pos);
}

static bool engine_room(void *ctx, u32 channel, u32 len)
{
	struct feed *feed = ((struct card *)ctx)->opt.output[channel];

	return !feed || feed_has_room(feed, len);
}

static void engine_push(void *ctx, u32 channel, const void *buf, u32 len)
{
	struct feed *feed = ((struct card *)ctx)->opt.output[channel];

	if (feed)
		feed_push(feed, buf, len);
}

static const struct daq_model_outside engine_outside = {
	.peek		= engine_peek,
	.pull		= engine_pull,
	.release	= engine_release,
	.room		= engine_room,
	.push		= engine_push,
};

static __le32 *engine_user(void *ctx, u32 channel)
{
	return ((struct card *)ctx)->user[channel];
}

static const struct daq_model_host engine_host = {
	.read		= engine_dma_read,
	.write		= engine_dma_write,
	.direct		= engine_dma_direct,
	.publish	= engine_dma_publish,
	.tamper		= engine_tamper,
	.raise		= engine_raise,
	.now		= engine_now,
	.user		= engine_user,
	.outside	= &engine_outside,
};

/* Registers: the engine's side. The lock is not held, but windows are. */

static bool engine_stops_dma(const struct daq_model *m, const struct engine_op *op)
{
	u32 i = op->reg / DAQ_REG_PAGE_SIZE - 1;

	if (op->reg == DAQ_REG_CTRL)
		return op->val & DAQ_CTRL_RESET;
	return op->reg >= DAQ_REG_CHAN(0) && i < m->channels &&
	       op->reg == DAQ_REG_QUEUE(i) + DAQ_QUEUE_CTRL && m->queue[i].ctrl & ~op->val;
}

/* Memory that the driver is about to have back may be written to once more. */
static void engine_plan_late_dma(struct card *card, u32 reg)
{
	u32 i;

	if (reg != DAQ_REG_CTRL) {
		late_plan(card, reg / DAQ_REG_PAGE_SIZE - 1);
		return;
	}
	for (i = 0; i < card->opt.channels; i++)
		late_plan(card, i);
}

static void engine_log_reset(struct card *card, const char *why)
{
	card_log_channels(card);
	log_fact(&card->log, "reset kind=%s", why);
}

static void engine_apply(struct card *card, const struct engine_op *op)
{
	struct daq_model *m = &card->engine.model;
	bool stops = engine_stops_dma(m, op);

	if (op->reg == DAQ_REG_CTRL && (op->val & DAQ_CTRL_RESET)) {
		engine_log_reset(card, "register");
		card_keep_counters(card);
	}
	if (!daq_model_doorbell(m, op->reg, op->val))
		daq_model_write(m, op->reg, op->val);
	if (stops)
		engine_plan_late_dma(card, op->reg);
}

/* The thread */

static bool engine_has_op(const struct engine *e)
{
	return e->mode == ENGINE_RUNS && e->head != e->tail;
}

static void engine_power_on(struct card *card)
{
	struct engine *e = &card->engine;

	card_keep_counters(card);
	daq_model_init(&e->model, &engine_host, card, card->opt.channels, card->opt.caps);
	if (card->opt.fifo)
		e->model.fifo = card->opt.fifo;
	e->hold = e->held;
	late_forget(&card->late);
}

/* Do what was asked for, in order; the lock is held. */
static void engine_do_ops(struct card *card)
{
	struct engine *e = &card->engine;

	while (e->reset || e->hold || engine_has_op(e)) {
		struct engine_op op = e->op[e->tail % ENGINE_OPS];

		if (e->reset) {
			engine_power_on(card);
			e->tail = e->head;
			e->reset = false;
			continue;
		}
		if (e->hold) {
			daq_model_withhold(&e->model, e->held);
			e->hold = false;
			continue;
		}

		pthread_mutex_unlock(&e->lock);
		pthread_rwlock_rdlock(&card->dma.lock);
		engine_apply(card, &op);
		pthread_rwlock_unlock(&card->dma.lock);
		pthread_mutex_lock(&e->lock);
		e->tail++;
	}
	pthread_cond_broadcast(&e->idle);
}

/* Return: when the next thing is due, ns. */
static u64 engine_step(struct card *card)
{
	struct engine *e = &card->engine;
	u64 next;

	pthread_rwlock_rdlock(&card->dma.lock);
	next = daq_model_step(&e->model);
	late_write(card);
	pthread_rwlock_unlock(&card->dma.lock);
	return min(next, card->late.next);
}

/* Sleep until @next, or a kick; the lock is held. */
static void engine_sleep(struct engine *e, u64 next)
{
	struct timespec until = {
		.tv_sec = next / NSEC_PER_SEC, .tv_nsec = next % NSEC_PER_SEC,
	};

	while (!e->kicked && !e->stop) {
		if (next == U64_MAX)
			pthread_cond_wait(&e->wake, &e->lock);
		else if (pthread_cond_timedwait(&e->wake, &e->lock, &until) == ETIMEDOUT)
			break;
	}
}

static void *engine_run(void *arg)
{
	struct card *card = arg;
	struct engine *e = &card->engine;
	u64 next;

	/* Samples are due to the microsecond. */
	prctl(PR_SET_TIMERSLACK, 1);
	pthread_mutex_lock(&e->lock);
	while (!e->stop) {
		e->kicked = false;
		engine_do_ops(card);
		next = U64_MAX;
		if (e->mode == ENGINE_RUNS) {
			pthread_mutex_unlock(&e->lock);
			next = engine_step(card);
			pthread_mutex_lock(&e->lock);
		}
		if (next > card_time())
			engine_sleep(e, next);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* Registers: the main thread's side */

static bool engine_is_doorbell(u32 reg)
{
	u32 off = reg % DAQ_REG_PAGE_SIZE;

	if (reg < DAQ_REG_CHAN(0))
		return reg == DAQ_REG_KICK || reg == DAQ_REG_KICK + 4;
	off -= DAQ_REG_QUEUE(0) - DAQ_REG_CHAN(0);
	return off == DAQ_QUEUE_RX_PROD || off == DAQ_QUEUE_TX_PROD || off == DAQ_QUEUE_IRQ_ARM;
}

static void engine_wake(struct engine *e)
{
	e->kicked = true;
	pthread_cond_signal(&e->wake);
}

void engine_kick(struct card *card)
{
	struct engine *e = &card->engine;

	pthread_mutex_lock(&e->lock);
	engine_wake(e);
	pthread_mutex_unlock(&e->lock);
}

/* Wait until at most @left writes are left, if it can be waited for. */
static void engine_wait(struct engine *e, u32 left)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ENGINE_PATIENCE;
	while (e->head - e->tail > left && e->mode == ENGINE_RUNS && !e->in_message)
		if (pthread_cond_timedwait(&e->idle, &e->lock, &until) == ETIMEDOUT)
			break;
}

static void engine_queue(struct card *card, u32 reg, u32 val)
{
	struct engine *e = &card->engine;

	engine_wait(e, ENGINE_OPS - 1);
	if (e->head - e->tail == ENGINE_OPS) {
		log_fact(&card->log, "write_lost register=0x%x", reg);
		return;
	}
	e->op[e->head++ % ENGINE_OPS] = (struct engine_op){ .reg = reg, .val = val };
	engine_wake(e);
}

/* The driver writes a register. */
void engine_write(struct card *card, u32 reg, u32 val)
{
	struct engine *e = &card->engine;

	pthread_mutex_lock(&e->lock);
	if (engine_is_doorbell(reg) && e->head == e->tail && !e->reset) {
		if (daq_model_doorbell(&e->model, reg, val))
			engine_wake(e);
	} else {
		engine_queue(card, reg, val);
	}
	pthread_mutex_unlock(&e->lock);
}

/*
 * What a register reads for which a write is under way, because the engine waits
 * for DMA or is stuck: that DMA is what BUSY tells of, and RESET.
 */
static u32 engine_read_early(struct engine *e, u32 reg)
{
	u32 val = daq_model_read(&e->model, reg);
	u32 i;

	for (i = e->tail; i != e->head; i++) {
		const struct engine_op *op = &e->op[i % ENGINE_OPS];

		if (reg == DAQ_REG_CTRL && op->reg == reg)
			val |= op->val & DAQ_CTRL_RESET;
		else if (op->reg + DAQ_QUEUE_BUSY == reg + DAQ_QUEUE_CTRL && reg >= DAQ_REG_CHAN(0) &&
			 op->reg % 0x1000 == DAQ_REG_QUEUE(0) - DAQ_REG_CHAN(0))
			val |= daq_model_read(&e->model, op->reg) & ~op->val;
	}
	return val;
}

static u32 engine_stick_ready(struct card *card, u32 reg, u32 val)
{
	u32 first = reg == DAQ_REG_READY ? 0 : 32;
	u32 i;

	for (i = first; i < min(card->opt.channels, first + 32); i++)
		if (fault_strikes(&card->faults, FAULT_STUCK_READY, i))
			val |= 1u << (i - first);
	return val;
}

/* The driver reads a register, behind all that it has written. */
u32 engine_read(struct card *card, u32 reg)
{
	struct engine *e = &card->engine;
	u32 val;

	pthread_mutex_lock(&e->lock);
	engine_wait(e, 0);
	val = e->head == e->tail ? daq_model_read(&e->model, reg) : engine_read_early(e, reg);
	pthread_mutex_unlock(&e->lock);
	if (reg == DAQ_REG_READY || reg == DAQ_REG_READY + 4)
		val = engine_stick_ready(card, reg, val);
	return val;
}

/* A process writes to a user page, behind all that the driver has written. */
bool engine_user_write(struct card *card, u32 channel, u32 offset, u32 val)
{
	struct engine *e = &card->engine;
	bool ok;

	pthread_mutex_lock(&e->lock);
	engine_wait(e, 0);
	ok = daq_model_user_write(&e->model, channel, offset, val);
	pthread_mutex_unlock(&e->lock);
	return ok;
}

u32 engine_user_read(struct card *card, u32 channel, u32 offset)
{
	struct engine *e = &card->engine;
	u32 val;

	pthread_mutex_lock(&e->lock);
	engine_wait(e, 0);
	val = daq_model_user_read(&e->model, channel, offset);
	pthread_mutex_unlock(&e->lock);
	return val;
}

/* The card keeps a user page to itself, or does no more. */
void engine_withhold(struct card *card, u32 channel, bool held)
{
	struct engine *e = &card->engine;

	pthread_mutex_lock(&e->lock);
	if (held)
		e->held |= BIT_ULL(channel);
	else
		e->held &= ~BIT_ULL(channel);
	e->hold = true;
	engine_wake(e);
	pthread_mutex_unlock(&e->lock);
}

/* Power the model on again; no DMA of before is left when it returns. */
void engine_reset(struct card *card, const char *why)
{
	struct engine *e = &card->engine;

	engine_log_reset(card, why);
	pthread_mutex_lock(&e->lock);
	e->reset = true;
	engine_wake(e);
	while (e->reset)
		pthread_cond_wait(&e->idle, &e->lock);
	pthread_mutex_unlock(&e->lock);
}

void engine_set_mode(struct card *card, enum engine_mode mode)
{
	struct engine *e = &card->engine;

	pthread_mutex_lock(&e->lock);
	WRITE_ONCE(e->mode, mode);
	engine_wake(e);
	pthread_mutex_unlock(&e->lock);
}

void engine_begin_message(struct card *card)
{
	struct engine *e = engine_of(card);

	pthread_mutex_lock(&e->lock);
	e->in_message = true;
	pthread_cond_broadcast(&e->idle);
	pthread_mutex_unlock(&e->lock);
}

void engine_end_message(struct card *card)
{
	struct engine *e = engine_of(card);

	pthread_mutex_lock(&e->lock);
	e->in_message = false;
	pthread_mutex_unlock(&e->lock);
}

/* Return: 0 or a positive errno. */
int engine_start(struct card *card)
{
	struct engine *e = &card->engine;
	pthread_condattr_t attr;

	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->wake, &attr);
	pthread_cond_init(&e->idle, &attr);
	pthread_condattr_destroy(&attr);
	engine_power_on(card);
	return pthread_create(&e->thread, NULL, engine_run, card);
}

void engine_stop(struct card *card)
{
	struct engine *e = &card->engine;

	pthread_mutex_lock(&e->lock);
	e->stop = true;
	engine_wake(e);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
}
