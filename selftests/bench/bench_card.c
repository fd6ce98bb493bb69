// SPDX-License-Identifier: GPL-2.0
/*
 * The card: the same model as behind the software card, with one channel, whose headers
 * and payload go to memory of their own; and what all three designs do with it.
 */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "bench.h"

/* Services for the model, as those of daq_soft.c */

static void *bench_memory(struct bench_card *card, u64 addr)
{
	return phys_to_virt(dma_to_phys(&card->pdev->dev, addr));
}

static bool bench_host_read(void *ctx, u64 addr, void *buf, u32 len)
{
	memcpy(buf, bench_memory(ctx, addr), len);
	return true;
}

static bool bench_host_write(void *ctx, u64 addr, const void *buf, u32 len)
{
	memcpy(bench_memory(ctx, addr), buf, len);
	return true;
}

static void *bench_host_direct(void *ctx, u64 addr, u32 len)
{
	return bench_memory(ctx, addr);
}

static bool bench_host_publish(void *ctx, u64 addr, __le32 word)
{
	bench_count_event();
	/* After the completions that it reports. */
	smp_store_release((__le32 *)bench_memory(ctx, addr), word);
	return true;
}

static void bench_host_raise(void *ctx, unsigned int vector)
{
	struct bench_card *card = ctx;

	irq_work_queue(&card->irq);
}

static u64 bench_host_now(void *ctx)
{
	return ktime_get_ns();
}

static void bench_host_cable(void *ctx)
{
}

static const struct daq_model_host bench_host = {
	.read		= bench_host_read,
	.write		= bench_host_write,
	.direct		= bench_host_direct,
	.publish	= bench_host_publish,
	.raise		= bench_host_raise,
	.now		= bench_host_now,
	.cable		= bench_host_cable,
};

static void bench_sleep(struct bench_card *card, u64 next)
{
	ktime_t expires = ns_to_ktime(next);

	set_current_state(TASK_INTERRUPTIBLE);
	/* Pairs with the xchg() of bench_write(). */
	if (smp_load_acquire(&card->kicked) || kthread_should_stop())
		__set_current_state(TASK_RUNNING);
	else if (next == U64_MAX)
		schedule();
	else
		schedule_hrtimeout(&expires, HRTIMER_MODE_ABS);
}

static int bench_engine(void *data)
{
	struct bench_card *card = data;
	u64 next;

	while (!kthread_should_stop()) {
		/* Before the step looks at the registers. */
		smp_store_mb(card->kicked, false);
		mutex_lock(&card->lock);
		next = daq_model_step(card->model);
		mutex_unlock(&card->lock);
		if (next > ktime_get_ns())
			bench_sleep(card, next);
		else
			cond_resched();
	}
	return 0;
}

static void bench_write(struct bench_card *card, u32 reg, u32 val)
{
	mutex_lock(&card->lock);
	daq_model_write(card->model, reg, val);
	mutex_unlock(&card->lock);
	if (!xchg(&card->kicked, true))
		wake_up_process(card->engine);
}

static void bench_write64(struct bench_card *card, u32 reg, u64 val)
{
	bench_write(card, reg, lower_32_bits(val));
	bench_write(card, reg + 4, upper_32_bits(val));
}

/* What the driver does */

/**
 * bench_post() - give the card a buffer
 * @card: card
 * @dma: its address
 *
 * Context: @card->post held.
 */
void bench_post(struct bench_card *card, dma_addr_t dma)
{
	card->desc[card->posted++ & (BENCH_RING - 1)].addr = cpu_to_le64(dma);
}

/**
 * bench_post_segment() - give the card a buffer for a header
 * @card: card
 *
 * Context: @card->post held.
 */
void bench_post_segment(struct bench_card *card)
{
	u32 slot = card->posted & (BENCH_RING - 1);

	bench_post(card, card->headers_dma + DAQ_HDR_LEN * slot);
}

/**
 * bench_doorbell() - tell the card of its buffers
 * @card: card
 */
void bench_doorbell(struct bench_card *card)
{
	daq_model_doorbell(card->model, DAQ_REG_QUEUE(0) + DAQ_QUEUE_RX_PROD,
			   card->posted);
}

/**
 * bench_look() - see what the card has reported
 * @card: card
 *
 * Return: whether there is a frame.
 */
bool bench_look(struct bench_card *card)
{
	u32 reported = le32_to_cpu(READ_ONCE(card->status->rx));
	u64 done = card->done;

	dma_rmb(); /* completions after the report of them */
	for (; card->seen != reported; card->seen++) {
		const struct daq_rx_cmpl *cmpl;

		cmpl = &card->cmpl[card->seen & (BENCH_RING - 1)];
		if (cmpl->flags & cpu_to_le16(DAQ_RX_F_EOF))
			done++;
	}
	if (done == card->done)
		return false;
	/* What is in the frames before that there are such. */
	smp_store_release(&card->done, done);
	return true;
}

static void bench_arm(struct bench_card *card)
{
	daq_model_doorbell(card->model, DAQ_REG_QUEUE(0) + DAQ_QUEUE_IRQ_ARM,
			   card->seen & 0xffff);
}

static void bench_irq(struct irq_work *work)
{
	struct bench_card *card = container_of(work, struct bench_card, irq);

	u64 number = card->done;

	if (bench_look(card)) {
		if (card->setup.design != BENCH_PIN)
			wake_up(&card->wait);
		else
			for (; number < card->done; number++)
				complete(&card->requests[number % BENCH_REQUESTS].full);
	}
	bench_arm(card);
}

/**
 * bench_frame_chunks() - how many buffers a frame takes, without headers
 * @card: card
 *
 * Return: that.
 */
u32 bench_frame_chunks(const struct bench_card *card)
{
	return card->setup.frame / card->chunk;
}

/**
 * bench_card_begin() - have the channel acquire
 * @card: card with buffers
 *
 * Context: process, @card->post held.
 */
void bench_card_begin(struct bench_card *card)
{
	if (card->started)
		return;
	card->started = true;
	bench_write(card, DAQ_REG_CHAN(0) + DAQ_CHAN_CTRL, DAQ_CHAN_CTRL_ENABLE);
}

/**
 * bench_card_state() - what became of the data
 * @card: card
 * @state: gets it
 */
void bench_card_state(struct bench_card *card, struct bench_state *state)
{
	state->produced = READ_ONCE(card->model->chan[0].produced);
	state->lost = READ_ONCE(card->model->chan[0].no_buffer);
	state->overwritten = READ_ONCE(card->overwritten);
}

/* Setting it up */

static void bench_program(struct bench_card *card)
{
	const struct bench_setup *setup = &card->setup;
	u32 q = DAQ_REG_QUEUE(0), ch = DAQ_REG_CHAN(0);

	bench_write64(card, q + DAQ_QUEUE_STATUS, card->status_dma);
	bench_write64(card, q + DAQ_QUEUE_RX_DESC, card->desc_dma);
	bench_write64(card, q + DAQ_QUEUE_RX_CMPL, card->cmpl_dma);
	bench_write(card, q + DAQ_QUEUE_RX_SIZE, BENCH_RING);
	bench_write(card, q + DAQ_QUEUE_RX_BUF, card->chunk);
	bench_write(card, q + DAQ_QUEUE_RX_HEAD, 0);
	bench_write(card, q + DAQ_QUEUE_RX_HEAD_LEN, DAQ_HDR_LEN);
	bench_write(card, q + DAQ_QUEUE_RX_FRAMES, 1);
	bench_write(card, q + DAQ_QUEUE_RX_USECS, 10 * USEC_PER_SEC);
	bench_write(card, q + DAQ_QUEUE_RX_LOW, 0);
	bench_write(card, q + DAQ_QUEUE_CTRL, DAQ_QUEUE_CTRL_RX);
	bench_write(card, ch + DAQ_CHAN_SAMPLE_BYTES, 1);
	bench_write(card, ch + DAQ_CHAN_SEGMENT_BYTES, setup->segment);
	bench_write(card, ch + DAQ_CHAN_FRAME_BYTES, setup->frame);
	bench_write(card, ch + DAQ_CHAN_LINE_BYTES, 4096);
	bench_write64(card, ch + DAQ_CHAN_RATE, setup->rate);
	bench_write(card, ch + DAQ_CHAN_QUEUE, 0);
	bench_write(card, ch + DAQ_CHAN_SOURCE, DAQ_SOURCE_COUNTER);
}

static int bench_alloc(struct bench_card *card)
{
	struct device *dev = &card->pdev->dev;

	card->status = dma_alloc_coherent(dev, sizeof(*card->status),
					  &card->status_dma, GFP_KERNEL);
	card->desc = dma_alloc_coherent(dev, BENCH_RING * sizeof(*card->desc),
					&card->desc_dma, GFP_KERNEL);
	card->cmpl = dma_alloc_coherent(dev, BENCH_RING * sizeof(*card->cmpl),
					&card->cmpl_dma, GFP_KERNEL);
	card->headers = dma_alloc_coherent(dev, BENCH_RING * DAQ_HDR_LEN,
					   &card->headers_dma, GFP_KERNEL);
	card->model = kvzalloc(sizeof(*card->model), GFP_KERNEL);
	if (!card->status || !card->desc || !card->cmpl || !card->headers ||
	    !card->model)
		return -ENOMEM;
	return 0;
}

static void bench_free(struct bench_card *card)
{
	struct device *dev = &card->pdev->dev;

	kvfree(card->model);
	if (card->headers)
		dma_free_coherent(dev, BENCH_RING * DAQ_HDR_LEN, card->headers,
				  card->headers_dma);
	if (card->cmpl)
		dma_free_coherent(dev, BENCH_RING * sizeof(*card->cmpl),
				  card->cmpl, card->cmpl_dma);
	if (card->desc)
		dma_free_coherent(dev, BENCH_RING * sizeof(*card->desc),
				  card->desc, card->desc_dma);
	if (card->status)
		dma_free_coherent(dev, sizeof(*card->status), card->status,
				  card->status_dma);
}

static bool bench_setup_ok(const struct bench_setup *setup)
{
	u32 segment = setup->segment, chunks;

	if (setup->design > BENCH_SIGNAL || !segment ||
	    segment > DAQ_MAX_SEGMENT_BYTES ||
	    (segment % PAGE_SIZE && PAGE_SIZE % segment) ||
	    !setup->frame || setup->frame > DAQ_MAX_FRAME_BYTES ||
	    setup->frame % segment || setup->frame % PAGE_SIZE)
		return false;
	/* all that is posted at once, with a header for each segment */
	chunks = setup->frame / segment +
		 setup->frame / min_t(u32, segment, PAGE_SIZE);
	if (setup->design == BENCH_PIN)
		return BENCH_REQUESTS * chunks <= BENCH_RING;
	return setup->frames >= 2 && (u64)setup->frames * chunks <= BENCH_RING;
}

static int bench_create_design(struct bench_card *card)
{
	int err;

	if (card->setup.design == BENCH_PIN)
		return bench_requests_create(card);
	err = bench_ring_create(card);
	if (!err && card->setup.design == BENCH_SIGNAL)
		err = bench_signal_create(card);
	return err;
}

static struct platform_device *bench_create_device(void)
{
	const struct platform_device_info info = {
		.name		= "daq-bench",
		.id		= PLATFORM_DEVID_AUTO,
		.dma_mask	= DMA_BIT_MASK(64),
	};
	struct platform_device *pdev = platform_device_register_full(&info);

	if (!IS_ERR(pdev))
		dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	return pdev;
}

/**
 * bench_card_create() - a card, and its driver
 * @setup: what they are to be like
 *
 * Context: process.
 * Return: it, or an error pointer.
 */
struct bench_card *bench_card_create(const struct bench_setup *setup)
{
	u32 caps = DAQ_CAP_AUTO;
	struct bench_card *card;
	int err;

	if (!bench_setup_ok(setup))
		return ERR_PTR(-EINVAL);
	card = kzalloc(sizeof(*card), GFP_KERNEL);
	if (!card)
		return ERR_PTR(-ENOMEM);
	card->setup = *setup;
	card->chunk = min_t(u32, setup->segment, PAGE_SIZE);
	mutex_init(&card->lock);
	mutex_init(&card->post);
	init_waitqueue_head(&card->wait);
	init_irq_work(&card->irq, bench_irq);
	card->pdev = bench_create_device();
	if (IS_ERR(card->pdev)) {
		err = PTR_ERR(card->pdev);
		goto err_free_card;
	}
	err = bench_alloc(card);
	if (err)
		goto err_free_memory;
	if (setup->design != BENCH_SIGNAL)
		caps |= DAQ_CAP_IRQ;
	daq_model_init(card->model, &bench_host, card, 1, caps);
	card->engine = kthread_create(bench_engine, card, "%s",
				      dev_name(&card->pdev->dev));
	if (IS_ERR(card->engine)) {
		err = PTR_ERR(card->engine);
		goto err_free_memory;
	}
	set_user_nice(card->engine, MIN_NICE);
	wake_up_process(card->engine);
	bench_program(card);
	bench_arm(card);
	err = bench_create_design(card);
	if (err) {
		bench_card_destroy(card);
		return ERR_PTR(err);
	}
	return card;

err_free_memory:
	bench_free(card);
	platform_device_unregister(card->pdev);
err_free_card:
	kfree(card);
	return ERR_PTR(err);
}

/**
 * bench_card_destroy() - undo that
 * @card: card that nobody uses
 *
 * Context: process.
 */
void bench_card_destroy(struct bench_card *card)
{
	kthread_stop(card->engine);
	irq_work_sync(&card->irq);
	bench_signal_destroy(card);
	bench_ring_destroy(card);
	bench_requests_destroy(card);
	bench_free(card);
	platform_device_unregister(card->pdev);
	kfree(card);
}
