// SPDX-License-Identifier: GPL-2.0
/* daq-card on its socket: what QEMU, a guest and files see of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "card_client.h"

#define SEGMENT	1024u

static struct client client;
static struct client *const c = &client;

static void start_card(u32 channels, enum card_interrupts interrupts)
{
	const struct card_options opt = {
		.channels = channels, .caps = DAQ_CAP_IRQ | DAQ_CAP_AUTO | DAQ_CAP_USER,
		.interrupts = interrupts, .seed = 1,
	};

	client_start(c, &opt);
}

/* The card as a driver has it: with memory and the right to use it. */
static void start_driver(u32 channels)
{
	start_card(channels, CARD_MSIX);
	client_greet(c);
	client_map_memory(c);
	client_set_master(c, true);
}

static bool is_counter(const u8 *data, u64 first_byte, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (data[i] != (u8)((first_byte + i) / 8 >> 8 * ((first_byte + i) % 8)))
			return false;
	return true;
}

static const u8 *payload(u32 q, u32 n)
{
	u32 slot = le16toh(client_completion(c, q, n).first) % RING;

	return client_memory(c, BUFS(q) + (u64)slot * BUF) + HEAD + DAQ_HDR_LEN;
}

static void test_protocol(void)
{
	static const char hello[200] = "\0\0\0\0{}";
	static const char newer[8] = "\1\0\0\0{}";
	struct vfio_user_region_info region = { .argsz = sizeof(region), .index = 7 };
	struct vfio_user_irq_info irq = { .argsz = sizeof(irq), .index = VFIO_USER_IRQ_MSIX };
	struct vfio_user_info info = { .argsz = sizeof(info) };
	char reply[82] = "";
	u32 i, wrong = 0;

	start_card(8, CARD_MSIX);
	ktap_eq(client_call(c, VFIO_USER_GET_INFO, &info, sizeof(info), NULL, 0, &info,
			    sizeof(info)), EPROTO, "protocol: nothing before the version");
	ktap_eq(client_call(c, VFIO_USER_VERSION, newer, sizeof(newer), NULL, 0, NULL, 0), ENOTSUP,
		"protocol: not with a newer version");
	ktap_eq(client_call(c, VFIO_USER_VERSION, hello, sizeof(hello), NULL, 0, reply,
			    sizeof(reply)), 0,
		"protocol: a version, in a reply that fits the request");
	ktap_ok(!reply[0] && strstr(reply + 4, "\"max_msg_fds\":16") && !reply[81],
		"protocol: with what the card can do");
	ktap_eq(client_call(c, VFIO_USER_GET_INFO, &info, sizeof(info), NULL, 0, &info,
			    sizeof(info)), 0, "protocol: information");
	ktap_ok(info.flags == 3 && info.regions == 9 && info.irqs == 5,
		"protocol: a PCI device that can be reset");
	client_call(c, VFIO_USER_GET_REGION_INFO, &region, sizeof(region), NULL, 0, &region,
		    sizeof(region));
	ktap_ok(region.flags == 3 && region.size == 4096, "protocol: configuration space");
	for (i = 0; i < 9; i++) {
		static const u64 sizes[9] = { 0x10000, 0, 0x8000, 0, 0x10000, 0, 0, 4096, 0 };

		region.index = i;
		wrong += client_call(c, VFIO_USER_GET_REGION_INFO, &region, sizeof(region), NULL,
				     0, &region, sizeof(region)) || region.size != sizes[i] ||
			 (region.flags & ~3);
	}
	ktap_eq(wrong, 0, "protocol: BARs 0, 2 and 4, none to be mapped");
	region.index = 9;
	ktap_eq(client_call(c, VFIO_USER_GET_REGION_INFO, &region, sizeof(region), NULL, 0, NULL,
			    0), EINVAL, "protocol: no more regions");
	client_call(c, VFIO_USER_GET_IRQ_INFO, &irq, sizeof(irq), NULL, 0, &irq, sizeof(irq));
	ktap_ok(irq.count == 9 && irq.flags == 1, "protocol: a vector per channel and one more");
	irq.index = VFIO_USER_IRQ_MSI;
	client_call(c, VFIO_USER_GET_IRQ_INFO, &irq, sizeof(irq), NULL, 0, &irq, sizeof(irq));
	ktap_eq(irq.count, 0, "protocol: of one kind");
	ktap_eq(client_call(c, 15, NULL, 0, NULL, 0, NULL, 0), ENOTSUP,
		"protocol: not what was not agreed on");
	ktap_eq(client_call(c, VFIO_USER_GET_INFO, &info, 8, NULL, 0, NULL, 0), EINVAL,
		"protocol: no message of a wrong length");
	client_stop(c);
}

static u32 config(u32 at, u32 size)
{
	__le32 val = 0;

	client_read(c, CARD_CONFIG, at, &val, size);
	return le32_to_cpu(val);
}

static u32 size_bar(u32 at)
{
	__le32 ones = 0xffffffff;

	client_write(c, CARD_CONFIG, at, &ones, sizeof(ones));
	return config(at, 4);
}

static u32 find_capability(u32 id)
{
	u32 at = config(PCI_CAPABILITY_LIST, 1);
	u32 n;

	for (n = 0; at && n < 48; n++, at = config(at + 1, 1))
		if (config(at, 1) == id)
			return at;
	return 0;
}

static void test_config(void)
{
	u8 all[4096];
	u32 cap;

	start_card(8, CARD_MSIX);
	client_greet(c);
	ktap_eq(client_read(c, CARD_CONFIG, 0, all, sizeof(all)), 0, "config: all of it at once");
	ktap_ok(config(0, 4) == 0x0001dac0 && config(8, 4) == 0x11800001 &&
		config(0x2c, 4) == 0x0001dac0, "config: who it is");
	ktap_eq(size_bar(0x30), 0, "config: no ROM");
	ktap_ok(size_bar(0x10) == 0xffff0004 && size_bar(0x14) == 0xffffffff,
		"config: size and kind of a BAR");
	cap = find_capability(PCI_CAP_ID_MSIX);
	ktap_ok(cap && config(cap + 2, 2) == 8 && config(cap + 4, 4) == 4 &&
		config(cap + 8, 4) == 0x8004, "config: MSI-X, table and pending bits in BAR 4");
	ktap_ok(!find_capability(PCI_CAP_ID_MSI) && find_capability(PCI_CAP_ID_PM),
		"config: power management, and no MSI");
	cap = find_capability(PCI_CAP_ID_EXP);
	ktap_ok(cap && (config(cap + 4, 4) & PCI_EXP_DEVCAP_FLR), "config: can be reset");
	ktap_ok(client_read(c, CARD_CONFIG, 4095, all, 2) == EINVAL &&
		client_read(c, CARD_CONFIG, 4096, all, 1) == EINVAL &&
		client_read(c, CARD_CONFIG, ~0ull, all, 2) == EINVAL, "config: nothing behind it");
	client_stop(c);

	start_card(64, CARD_MSI);
	client_greet(c);
	cap = find_capability(PCI_CAP_ID_MSI);
	ktap_ok(cap && config(cap + 2, 2) == (PCI_MSI_FLAGS_64BIT | 5 << 1) &&
		!find_capability(PCI_CAP_ID_MSIX), "config: MSI with 32 vectors instead");
	client_stop(c);
	start_card(1, CARD_NO_INTERRUPTS);
	client_greet(c);
	ktap_ok(!find_capability(PCI_CAP_ID_MSI) && !find_capability(PCI_CAP_ID_MSIX),
		"config: or no interrupts");
	ktap_eq(config(PCI_CFG_SPACE_SIZE, 4), 0, "config: no serial number");
	client_stop(c);
}

static void test_serial(void)
{
	const struct card_options opt = { .channels = 1, .serial = 0xda00000012345678 };

	client_start(c, &opt);
	client_greet(c);
	ktap_ok(config(PCI_CFG_SPACE_SIZE, 4) == (PCI_EXT_CAP_ID_DSN | 1 << 16) &&
		config(PCI_CFG_SPACE_SIZE + 4, 4) == 0x12345678 &&
		config(PCI_CFG_SPACE_SIZE + 8, 4) == 0xda000000, "config: or one");
	client_stop(c);
}

static void test_registers(void)
{
	u8 data[8];
	u64 both;
	u32 val;

	start_driver(4);
	ktap_eq(client_reg(c, DAQ_REG_ID), DAQ_HW_ID, "registers: identification");
	ktap_ok(client_reg(c, DAQ_REG_CHANNELS) == 4 && client_reg(c, DAQ_REG_CAPS) == 7,
		"registers: channels and capabilities");
	client_read(c, CARD_BAR0, DAQ_REG_CAPS, &both, 8);
	ktap_ok(both == (7 | 4ull << 32), "registers: 64 bits at once");
	ktap_ok(!client_read(c, CARD_BAR0, 2, data, 1) && data[0] == 0x51, "registers: a byte");
	both = 0x123456789;
	client_write(c, CARD_BAR0, DAQ_REG_CHAN(3) + DAQ_CHAN_RATE, &both, 8);
	ktap_ok(client_reg(c, DAQ_REG_CHAN(3) + DAQ_CHAN_RATE) == 0x23456789 &&
		client_reg(c, DAQ_REG_CHAN(3) + DAQ_CHAN_RATE + 4) == 1,
		"registers: a write of 64 bits, and reads after it");
	client_write(c, CARD_BAR0, DAQ_REG_CHAN(3) + DAQ_CHAN_RATE, data, 1);
	ktap_eq(client_reg(c, DAQ_REG_CHAN(3) + DAQ_CHAN_RATE), 0x23456789,
		"registers: parts of words are not written");
	ktap_ok(client_read(c, CARD_BAR0, 2, data, 4) == EINVAL &&
		client_read(c, CARD_BAR0, 0, data, 3) == EINVAL &&
		client_read(c, CARD_BAR0, 0, data, 0) == EINVAL &&
		client_read(c, CARD_BAR0, 0x8000, data, 8) == EINVAL &&
		client_read(c, 1, 0, data, 4) == EINVAL, "registers: nothing odd, nothing outside");
	val = 0xcafe;
	client_write(c, CARD_BAR2, 0x2010, &val, 4);
	client_read(c, CARD_BAR2, 0x2010, &val, 4);
	ktap_ok(!val && !c->card->user_writes && c->card->user_refused == 1,
		"registers: those of the user, before they are open");
	client_set_reg(c, DAQ_REG_CHAN(2) + DAQ_CHAN_USER, DAQ_CHAN_USER_OPEN);
	val = 0xcafe;
	client_write(c, CARD_BAR2, 0x2010, &val, 4);
	val = 0;
	client_read(c, CARD_BAR2, 0x2010, &val, 4);
	ktap_ok(val == 0xcafe && c->card->user_writes == 1, "registers: those of the user");
	client_read(c, CARD_BAR2, 0x1010, &val, 4);
	ktap_eq(val, 0, "registers: of each channel its own");
	client_stop(c);
}

static void test_capture(void)
{
	int event = eventfd(0, EFD_CLOEXEC);
	bool good = true;
	u64 count = 0;
	u32 n;

	start_driver(2);
	ktap_eq(client_arm_irqs(c, VFIO_USER_IRQ_MSIX, 1, 1, &event), 0, "capture: an interrupt");
	client_start_queue(c, 1, DAQ_QUEUE_CTRL_RX);
	client_post(c, 1, RING);
	client_set_reg(c, DAQ_REG_QUEUE(1) + DAQ_QUEUE_IRQ_ARM, 0);
	client_start_chan(c, 1, DAQ_SOURCE_COUNTER, SEGMENT, 512000);
	ktap_ok(client_wait_reported(c, 1, 20), "capture: segments arrive");
	for (n = 0; n < 20; n++)
		good &= is_counter(payload(1, n), n * SEGMENT, SEGMENT) &&
			be64toh(client_header(c, 1, n).sample) == n * 512;
	ktap_ok(good, "capture: byte for byte");
	ktap_ok(read(event, &count, sizeof(count)) == sizeof(count) && count == 1,
		"capture: and there was one interrupt");
	ktap_eq(client_reg(c, DAQ_REG_CHAN(1) + DAQ_CHAN_NO_BUFFER), 0, "capture: nothing is lost");
	ktap_ok(client_fences_hold(c), "capture: no memory is touched that is no window");
	ktap_eq(c->asked, 0, "capture: without messages");
	close(event);
	client_stop(c);
}

/* A guest that takes all that there are takes more than the card has use for. */
static void test_msi(void)
{
	struct vfio_user_irq_info irq = { .argsz = sizeof(irq), .index = VFIO_USER_IRQ_MSI };
	int events[8];
	u64 count;
	u32 i;

	start_card(4, CARD_MSI);
	client_greet(c);
	client_map_memory(c);
	client_set_master(c, true);
	client_call(c, VFIO_USER_GET_IRQ_INFO, &irq, sizeof(irq), NULL, 0, &irq, sizeof(irq));
	ktap_eq(irq.count, 8, "MSI: a power of two of vectors");
	for (i = 0; i < ARRAY_SIZE(events); i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ktap_eq(client_arm_irqs(c, VFIO_USER_IRQ_MSI, 0, 8, events), 0, "MSI: all can be had");
	client_start_queue(c, 3, DAQ_QUEUE_CTRL_RX);
	client_post(c, 3, RING);
	client_set_reg(c, DAQ_REG_QUEUE(3) + DAQ_QUEUE_IRQ_ARM, 0);
	client_start_chan(c, 3, DAQ_SOURCE_COUNTER, SEGMENT, 512000);
	ktap_ok(client_wait_reported(c, 3, 4) &&
		read(events[3], &count, sizeof(count)) == sizeof(count),
		"MSI: each queue has its own");
	for (i = 0; i < ARRAY_SIZE(events); i++)
		close(events[i]);
	client_stop(c);
}

/* Writes to a running card's register are there when it is read. */
static void test_split(void)
{
	bool good = true;
	u32 n;

	start_driver(1);
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_RX);
	client_post(c, 0, RING);
	client_start_chan(c, 0, DAQ_SOURCE_COUNTER, 61440, 3072000);
	ktap_ok(client_wait_reported(c, 0, 4), "split: long segments arrive");
	client_set_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_CTRL, 0);
	ktap_eq(client_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_CTRL), 0, "split: the channel stops");
	for (n = 0; n < 15; n++)
		good &= is_counter(client_memory(c, BUFS(0) + (33 + n) * BUF),
				   2 * 61440 + n * BUF, BUF);
	ktap_ok(good, "split: payload fills whole buffers");
	client_stop(c);
}

/* Memory that the client does not share: messages. */
static void test_messages(void)
{
	bool good = true;
	u64 begin;
	u32 n;

	start_card(1, CARD_MSIX);
	client_greet(c);
	client_map(c, GUEST + GUEST_FENCE, GUEST_SIZE - 2 * GUEST_FENCE, 0,
		   DMA_READABLE | DMA_WRITABLE, -1);
	client_set_master(c, true);
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_RX);
	client_post(c, 0, RING);
	client_start_chan(c, 0, DAQ_SOURCE_COUNTER, SEGMENT, 51200);
	ktap_ok(client_wait_reported(c, 0, 10), "messages: segments arrive");
	for (n = 0; n < 10; n++)
		good &= is_counter(payload(0, n), n * SEGMENT, SEGMENT);
	ktap_ok(good && c->asked > 10, "messages: byte for byte");

	c->answer = CLIENT_IS_SILENT;
	while (!client_serve(c, 100))
		;
	begin = card_time();
	client_set_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL, 0);
	ktap_eq(client_reg(c, DAQ_REG_ID), DAQ_HW_ID, "messages: registers while one is open");
	ktap_eq(client_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_BUSY), DAQ_QUEUE_CTRL_RX,
		"messages: a queue is busy until it is answered");
	ktap_eq(client_call(c, VFIO_USER_RESET, NULL, 0, NULL, 0, NULL, 0), 0,
		"messages: a reset does not wait for it");
	ktap_ok(card_time() - begin < NSEC_PER_SEC, "messages: all that takes no time");
	ktap_eq(client_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_BUSY), 0, "messages: then it is not busy");

	c->answer = CLIENT_REFUSES;
	client_set_master(c, true);
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_RX);
	client_post(c, 0, RING);
	client_start_chan(c, 0, DAQ_SOURCE_COUNTER, SEGMENT, 512000);
	while (!client_serve(c, 100))
		;
	for (n = 0; n < 1000 && !client_reg(c, DAQ_REG_EVENTS); n++)
		usleep(1000);
	ktap_eq(client_reg(c, DAQ_REG_EVENTS), DAQ_EVENT_DMA_ERROR,
		"messages: one that is refused is a DMA error");
	client_stop(c);
}

static bool dma_error_comes(void)
{
	u32 n;

	for (n = 0; n < 5000; n++) {
		if (client_reg(c, DAQ_REG_EVENTS) & DAQ_EVENT_DMA_ERROR)
			return true;
		usleep(1000);
	}
	return false;
}

static void run_queue(u32 q)
{
	client_start_queue(c, q, DAQ_QUEUE_CTRL_RX);
	client_post(c, q, RING);
	client_start_chan(c, q, DAQ_SOURCE_COUNTER, SEGMENT, 512000);
}

static void test_windows(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	u64 count = 0;

	start_driver(2);
	client_arm_irqs(c, VFIO_USER_IRQ_MSIX, 2, 1, &event);
	client_set_reg(c, DAQ_REG_EVENT_MASK, DAQ_EVENT_DMA_ERROR);
	run_queue(0);
	client_wait_reported(c, 0, 3);
	ktap_eq(client_unmap(c, BUFS(0), RING * BUF), 0, "windows: a part of one goes");
	memset(client_memory(c, BUFS(0)), 0x77, RING * BUF);
	ktap_ok(dma_error_comes(), "windows: DMA to it is an error");
	ktap_eq(client_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL), 0, "windows: the queue stops");
	ktap_ok(read(event, &count, sizeof(count)) == sizeof(count), "windows: and interrupts");
	for (count = 0; count < RING * BUF; count++)
		if (client_memory(c, BUFS(0))[count] != 0x77)
			break;
	ktap_eq(count, RING * BUF, "windows: nothing is written after unmap's reply");
	client_set_reg(c, DAQ_REG_EVENTS, DAQ_EVENT_DMA_ERROR);
	run_queue(1);
	ktap_ok(client_wait_reported(c, 1, 3), "windows: the rest of it is still there");
	ktap_eq(client_map(c, BUFS(0), RING * BUF, 4 << 20, DMA_READABLE, c->memfd), 0,
		"windows: a new one, to be read only");
	run_queue(0);
	ktap_ok(dma_error_comes(), "windows: it is not written to");
	client_set_reg(c, DAQ_REG_EVENTS, DAQ_EVENT_DMA_ERROR);
	client_unmap(c, BUFS(0), BUF);
	client_map(c, BUFS(0), BUF, 4 << 20, DMA_READABLE | DMA_WRITABLE, c->memfd);
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_RX);
	client_post(c, 0, RING);
	client_start_chan(c, 0, DAQ_SOURCE_COUNTER, 61440, 3072000);
	ktap_ok(dma_error_comes() && client_memory(c, BUFS(0) + BUF)[0] == 0x77,
		"windows: nor is one in the middle of a segment");
	client_set_reg(c, DAQ_REG_EVENTS, DAQ_EVENT_DMA_ERROR);
	/* Its buffers last for a quarter of a second. */
	run_queue(1);
	client_set_master(c, false);
	ktap_ok(dma_error_comes() && !client_reg(c, DAQ_REG_QUEUE(1) + DAQ_QUEUE_CTRL),
		"windows: nothing without bus mastering");

	ktap_eq(client_map(c, BUFS(0) + BUF, BUF, 0, 3, c->memfd), EEXIST, "windows: no overlap");
	ktap_ok(client_map(c, 0, 0, 0, 3, c->memfd) == EINVAL &&
		client_map(c, ~0ull, 4096, 0, 3, c->memfd) == EINVAL &&
		client_map(c, 0, 4096, GUEST_SIZE, 3, c->memfd) == EINVAL &&
		client_map(c, 0, 4096, ~0ull - 100, 3, c->memfd) == EINVAL &&
		client_map(c, 0, 4096, 0, 3, event) == EINVAL,
		"windows: none around, behind, or of something else");
	ktap_ok(client_fences_hold(c), "windows: no other memory is touched");
	close(event);
	client_stop(c);
}

static u32 count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	u32 n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* With an IOMMU each page that a guest maps is a window. */
static void test_many_windows(void)
{
	u32 before, i, wrong = 0;

	start_card(1, CARD_MSIX);
	client_greet(c);
	before = count_fds();
	for (i = 0; i < 5000; i++)
		wrong += client_map(c, (u64)i * 0x3000, 4096, i % 5000 * 4096ull, 3, c->memfd) != 0;
	ktap_eq(wrong, 0, "many windows: 5000");
	client_reg(c, DAQ_REG_ID);
	ktap_eq(count_fds(), before, "many windows: and not one open file more");
	for (i = 0; i < 5000; i += 2)
		wrong += client_unmap(c, (u64)i * 0x3000, 4096) != 0;
	ktap_ok(!wrong && c->card->dma.count == 2500, "many windows: half of them go");
	client_unmap(c, 0, 1ull << 40);
	ktap_eq(c->card->dma.count, 0, "many windows: all of them go");
	client_stop(c);
}

static void test_reset(void)
{
	u32 cap;
	__le16 flr = cpu_to_le16(PCI_EXP_DEVCTL_BCR_FLR);

	start_driver(2);
	cap = find_capability(PCI_CAP_ID_EXP);
	run_queue(0);
	client_wait_reported(c, 0, 3);
	client_write(c, CARD_CONFIG, cap + PCI_EXP_DEVCTL, &flr, 2);
	ktap_ok(!client_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL) &&
		!client_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_PRODUCED), "reset: by function");
	ktap_ok(!config(4, 2) && !(config(cap + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_BCR_FLR),
		"reset: configuration space, too");
	client_set_master(c, true);
	run_queue(0);
	ktap_ok(client_wait_reported(c, 0, 3), "reset: the card works afterwards");
	ktap_eq(client_call(c, VFIO_USER_RESET, NULL, 0, NULL, 0, NULL, 0), 0, "reset: of the device");
	ktap_eq(client_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL), 0, "reset: takes the queues down");

	client_set_master(c, true);
	run_queue(1);
	client_wait_reported(c, 1, 3);
	client_disconnect(c);
	memset(client_memory(c, BUFS(1)), 0x77, RING * BUF);
	client_connect(c);
	client_greet(c);
	ktap_ok(!client_reg(c, DAQ_REG_QUEUE(1) + DAQ_QUEUE_CTRL) && !c->card->dma.count,
		"reset: a new client finds a new card");
	ktap_eq(client_memory(c, BUFS(1))[HEAD], 0x77, "reset: which has let go of the old one");
	client_map_memory(c);
	client_set_master(c, true);
	run_queue(1);
	ktap_ok(client_wait_reported(c, 1, 3), "reset: and works");
	client_stop(c);
}

static int control_open(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	client_path(c, "control", addr.sun_path, sizeof(addr.sun_path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		ktap_die("no control socket: %s", strerror(errno));
	return fd;
}

/* Return: whether the answer's end is "ok". */
static bool control(int fd, const char *command, char *answer, size_t size)
{
	size_t len = 0;
	ssize_t n;

	if (write(fd, command, strlen(command)) < 0)
		return false;
	while (len < size - 1) {
		n = read(fd, answer + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
		answer[len] = 0;
		if (len >= 3 && !strcmp(answer + len - 3, "ok\n"))
			return true;
		if (strstr(answer, "error: ") && answer[len - 1] == '\n')
			break;
	}
	return false;
}

/* Who may connect may do with the card, and with memory it is lent, what he likes. */
static bool is_private(const char *name)
{
	struct stat st;
	char path[128];

	client_path(c, name, path, sizeof(path));
	return !stat(path, &st) && (st.st_mode & 0777) == 0600;
}

static void test_control(void)
{
	static char answer[65536];
	u32 before;
	int fd;

	start_driver(2);
	fd = control_open();
	run_queue(0);
	client_wait_reported(c, 0, 3);
	ktap_ok(is_private("card") && is_private("control"),
		"control: nobody else can connect, nor to the card");
	ktap_ok(control(fd, "report\n", answer, sizeof(answer)) &&
		strstr(answer, "channel id=0 produced=") && strstr(answer, "total dma_map=1 "),
		"control: a report");
	ktap_ok(!control(fd, "explode\n", answer, sizeof(answer)) && strstr(answer, "try gone"),
		"control: an unknown command");

	ktap_ok(control(fd, "stuck\n", answer, sizeof(answer)), "control: stuck");
	usleep(20000);
	before = client_reported(c, 0);
	client_set_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL, 0);
	usleep(20000);
	ktap_ok(client_reported(c, 0) == before && client_reg(c, DAQ_REG_ID) == DAQ_HW_ID &&
		client_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_BUSY) == DAQ_QUEUE_CTRL_RX,
		"control: it answers, but does not get on");
	client_set_reg(c, DAQ_REG_CTRL, DAQ_CTRL_RESET);
	ktap_eq(client_reg(c, DAQ_REG_CTRL), DAQ_CTRL_RESET, "control: nor is a reset ever over");
	control(fd, "back\n", answer, sizeof(answer));
	ktap_eq(client_reg(c, DAQ_REG_CTRL), 0, "control: until it gets on again");

	run_queue(0);
	client_wait_reported(c, 0, 3);
	ktap_ok(control(fd, "gone\n", answer, sizeof(answer)), "control: gone");
	before = client_reported(c, 0);
	usleep(20000);
	ktap_ok(client_reg(c, DAQ_REG_ID) == ~0u && config(0, 4) == ~0u &&
		client_reported(c, 0) == before, "control: reads are all ones, there is no DMA");
	client_set_master(c, true);
	control(fd, "back\n", answer, sizeof(answer));
	ktap_ok(client_reg(c, DAQ_REG_ID) == DAQ_HW_ID && !config(4, 2) &&
		!client_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL),
		"control: back, and nothing is left of before");
	client_set_master(c, true);
	run_queue(0);
	ktap_ok(client_wait_reported(c, 0, 3), "control: it works");
	close(fd);
	client_stop(c);
}

/* In a process of its own, which ends with messages unread. */
static bool held_is(u64 channels)
{
	return client_reg(c, DAQ_REG_USER_HELD) == (u32)channels &&
	       client_reg(c, DAQ_REG_USER_HELD + 4) == channels >> 32;
}

static void test_withhold(void)
{
	static char answer[65536];
	int fd, i;

	start_driver(2);
	fd = control_open();
	ktap_ok(control(fd, "withhold 1\n", answer, sizeof(answer)), "withhold: a user page");
	/* It is the engine that does it. */
	for (i = 0; !held_is(2) && i < 1000; i++)
		usleep(1000);
	ktap_ok(held_is(2) && client_reg(c, DAQ_REG_EVENTS) == DAQ_EVENT_USER, "withhold: an event");
	ktap_ok(!control(fd, "withhold 2\n", answer, sizeof(answer)), "withhold: there is none");
	client_call(c, VFIO_USER_RESET, NULL, 0, NULL, 0, NULL, 0);
	client_set_master(c, true);
	for (i = 0; !held_is(2) && i < 1000; i++)
		usleep(1000);
	ktap_ok(held_is(2), "withhold: still after a reset");
	ktap_ok(control(fd, "allow 1\n", answer, sizeof(answer)), "withhold: no more");
	for (i = 0; !held_is(0) && i < 1000; i++)
		usleep(1000);
	ktap_ok(held_is(0), "withhold: the page is free");
	close(fd);
	client_stop(c);
}

static void test_die(void)
{
	static struct vfio_user_hdr burst[12000];
	char path[128], byte;
	int ends[2], status, fd;
	pid_t child;
	u32 i;

	if (pipe(ends))
		ktap_die("no pipe");
	child = fork();
	if (!child) {
		start_card(1, CARD_MSIX);
		client_greet(c);
		client_disconnect(c);
		if (write(ends[1], c->folder, sizeof(c->folder)) > 0)
			sleep(20);
		_exit(0);
	}
	if (read(ends[0], c->folder, sizeof(c->folder)) != sizeof(c->folder))
		ktap_die("no card");
	client_connect(c);
	fd = control_open();
	for (i = 0; i < ARRAY_SIZE(burst); i++)
		burst[i] = (struct vfio_user_hdr){
			.command = VFIO_USER_GET_INFO, .size = sizeof(burst[i]),
			.flags = VFIO_USER_NO_REPLY,
		};
	if (send(c->fd, burst, sizeof(burst), MSG_NOSIGNAL) < 0 || write(fd, "die\n", 4) < 0)
		ktap_die("the card does not listen");
	ktap_ok(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		WEXITSTATUS(status) == 128 + SIGKILL, "control: it dies");
	ktap_eq(recv(c->fd, &byte, 1, 0), 0, "control: its client hears of an end, not of an error");
	close(fd);
	close(c->fd);
	client_path(c, "card", path, sizeof(path));
	fd = card_listen(path);
	ktap_ok(fd >= 0, "control: another one can take its place");
	close(fd);
	unlink(path);
	client_path(c, "control", path, sizeof(path));
	unlink(path);
	rmdir(c->folder);
	close(ends[0]);
	close(ends[1]);
}

/* Return: lines that have @text in them. */
static u32 count_lines(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	char line[512];
	u32 n = 0;

	while (file && fgets(line, sizeof(line), file))
		n += !!strstr(line, text);
	fclose(file);
	return n;
}

/* A log that is full says so, and what it lacks, and tells the end. */
static void test_log(void)
{
	static char answer[65536];
	struct card_options opt = { .channels = 1, .log_limit = 1000 };
	char path[] = "/tmp/daq-card-XXXXXX";
	int fd = mkstemp(path);
	struct stat st;
	u32 i;

	opt.log = fd < 0 ? NULL : fdopen(fd, "w");
	if (!opt.log)
		ktap_die("no file for a log");
	client_start(c, &opt);
	fd = control_open();
	for (i = 0; i < 100; i++)
		control(fd, "hold\n", answer, sizeof(answer));
	ktap_eq(count_lines(path, " log_full"), 1, "log: it says that it is full");
	i = count_lines(path, " command ");
	ktap_ok(i > 10 && i < 40 && !stat(path, &st) && st.st_size < 1100,
		"log: it has no more then");
	close(fd);
	client_stop(c);
	ktap_ok(count_lines(path, " total ") == 1 && count_lines(path, " end\n") == 1,
		"log: the end is told");
	/* With two lines about the client that has left. */
	snprintf(answer, sizeof(answer), " left_out lines=%u\n", 100 - i + 2);
	ktap_eq(count_lines(path, answer), 1, "log: and how much is not there");
	fclose(opt.log);
	unlink(path);
}

/* How near to a loss a channel came since the last report; -1 if it did nothing. */
static s32 reported_left(int fd, u32 channel)
{
	static char answer[65536];
	char wanted[32];
	s32 left = -2;
	char *line;

	snprintf(wanted, sizeof(wanted), "channel id=%u ", channel);
	if (!control(fd, "report\n", answer, sizeof(answer)))
		return -2;
	line = strstr(answer, wanted);
	line = line ? strstr(line, " buffers_left=") : NULL;
	if (line)
		sscanf(line, " buffers_left=%d", &left);
	return left;
}

static void test_gauges(void)
{
	u32 done;
	s32 left;
	int fd;

	start_driver(2);
	fd = control_open();
	run_queue(0);
	client_wait_reported(c, 0, 3);
	client_set_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_CTRL, 0);
	client_set_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL, 0);
	client_reg(c, DAQ_REG_ID);
	done = client_reported(c, 0);
	left = reported_left(fd, 0);
	ktap_eq(left, (s32)(RING - done), "gauges: the fewest buffers there were");
	ktap_eq(reported_left(fd, 0), -1, "gauges: since the last report");
	ktap_eq(reported_left(fd, 1), -1, "gauges: of each channel its own");
	close(fd);
	client_stop(c);
}

/* A file that is cut short under the card's feet. */
static void test_cut_memory(void)
{
	start_driver(1);
	run_queue(0);
	client_wait_reported(c, 0, 3);
	if (ftruncate(c->memfd, 2 << 20))
		ktap_die("the guest's memory stays");
	usleep(50000);
	ktap_eq(client_reg(c, DAQ_REG_ID), DAQ_HW_ID, "cut memory: the card survives");
	if (ftruncate(c->memfd, GUEST_SIZE))
		ktap_die("the guest's memory does not come back");
	client_stop(c);
}

/* So many completions with a fault; the rest of the ring is unused. */
static void run_with_fault(const char *spec, u32 count)
{
	char error[128];

	start_driver(1);
	if (!faults_set(&c->card->faults, spec, error, sizeof(error)))
		ktap_die("%s", error);
	run_queue(0);
	client_wait_reported(c, 0, count);
	client_set_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_CTRL, 0);
	client_reg(c, DAQ_REG_ID);
}

static void test_faults(void)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	char error[128];
	u32 n, bad = 0;
	u64 count = 0;

	run_with_fault("drop=0.5", 10);
	for (n = 1; n < 10; n++)
		bad += be64toh(client_header(c, 0, n).sample) !=
		       be64toh(client_header(c, 0, n - 1).sample) + 512;
	ktap_ok(bad && bad < 9 && faults_injected(&c->card->faults, FAULT_DROP), "faults: drop");
	client_stop(c);

	run_with_fault("corrupt:0=1", 4);
	ktap_ok(!is_counter(payload(0, 2), 2 * SEGMENT, SEGMENT), "faults: corrupt");
	client_stop(c);

	run_with_fault("duplicate=1", 4);
	ktap_eq(client_completion(c, 0, 3).first, client_completion(c, 0, 2).first,
		"faults: duplicate");
	client_stop(c);

	run_with_fault("length=1", 4);
	ktap_ok(client_completion(c, 0, 2).len != htole32(SEGMENT + 64), "faults: length");
	client_stop(c);

	run_with_fault("index=1", 4);
	ktap_ok(le16toh(client_completion(c, 0, 2).first) >= RING, "faults: index");
	client_stop(c);

	run_with_fault("buffers=1", 4);
	bad = 0;
	for (n = 0; n < 4; n++) {
		u32 bufs = le16toh(client_completion(c, 0, n).bufs);

		bad += bufs && bufs <= DAQ_SEG_BUFS;
	}
	ktap_eq(bad, 0, "faults: buffers");
	client_stop(c);

	run_with_fault("report=1", 4);
	ktap_ok(client_reported(c, 0) >= 1u << 16, "faults: report");
	client_stop(c);

	run_with_fault("channel=1", 4);
	ktap_ok(le16toh(client_completion(c, 0, 2).channel) >= DAQ_MAX_CHANNELS, "faults: channel");
	client_stop(c);

	run_with_fault("spurious-irq=1", 4);
	ktap_ok(c->card->irqs.raised[0] >= 4, "faults: spurious interrupt");
	client_stop(c);

	start_driver(1);
	faults_set(&c->card->faults, "lost-irq=1", error, sizeof(error));
	client_arm_irqs(c, VFIO_USER_IRQ_MSIX, 0, 1, &event);
	run_queue(0);
	client_set_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_IRQ_ARM, 0);
	client_wait_reported(c, 0, 4);
	ktap_ok(read(event, &count, sizeof(count)) < 0 &&
		faults_injected(&c->card->faults, FAULT_LOST_IRQ) == 1, "faults: lost interrupt");
	client_stop(c);

	start_driver(1);
	faults_set(&c->card->faults, "stuck-ready=1", error, sizeof(error));
	ktap_eq(client_reg(c, DAQ_REG_READY), 1, "faults: stuck READY");
	client_stop(c);

	run_with_fault("late-dma=1", 4);
	client_set_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_CTRL, 0);
	client_reg(c, DAQ_REG_ID);
	memset(client_memory(c, BUFS(0)), 0x77, RING * BUF);
	for (n = 0; n < 5000 && !c->card->late.landed; n++)
		usleep(1000);
	for (n = 0; n < RING * BUF && client_memory(c, BUFS(0))[n] == 0x77; n++)
		;
	ktap_ok(n < RING * BUF && client_memory(c, BUFS(0))[n] == 0xdb, "faults: late DMA");
	run_queue(0);
	client_wait_reported(c, 0, 4);
	client_set_reg(c, DAQ_REG_CTRL, DAQ_CTRL_RESET);
	client_reg(c, DAQ_REG_ID);
	client_set_master(c, false);
	for (n = 0; n < 5000 && !c->card->late.refused; n++)
		usleep(1000);
	ktap_ok(c->card->late.landed == 1 && c->card->late.refused == 1,
		"faults: late DMA without the bus");
	ktap_ok(c->card->past[0].produced >= 8, "faults: what was before a reset is kept");
	client_stop(c);

	ktap_ok(!faults_set(&c->card->faults, "rust=1", error, sizeof(error)) &&
		!faults_set(&c->card->faults, "drop=2", error, sizeof(error)) &&
		!faults_set(&c->card->faults, "drop:64=1", error, sizeof(error)) &&
		!faults_set(&c->card->faults, "drop", error, sizeof(error)),
		"faults: what cannot be understood is refused") ;
	close(event);
}

#define FILE_SIZE	(100 * SEGMENT + 77)

static u8 file_byte(u32 i)
{
	return i * 13 + i / 1000;
}

static void make_file(const char *path)
{
	FILE *file = fopen(path, "w");
	u32 i;

	if (!file)
		ktap_die("no file");
	for (i = 0; i < FILE_SIZE; i++)
		putc(file_byte(i), file);
	fclose(file);
}

/* Return: bytes that are as in the file, from the first segment on. */
static u32 compare_to_file(u32 segments)
{
	u32 n, i, same = 0;

	for (n = 0; n < segments; n++) {
		struct daq_hdr hdr = client_header(c, 0, n);
		const u8 *data = payload(0, n);

		for (i = 0; i < be32_to_cpu(hdr.payload_len); i++, same++)
			if (data[i] != file_byte(same))
				return same;
	}
	return same;
}

/* The other end of standard input. */
static int stdin_writer;

static void write_pipe(const char *path)
{
	FILE *pipe = strcmp(path, "-") ? fopen(path, "w") : fdopen(stdin_writer, "w");
	u32 n;

	if (!pipe)
		ktap_die("no pipe");
	for (n = 0; n < FILE_SIZE; n++) {
		putc(file_byte(n), pipe);
		if (n % 30000 == 29999) {
			fflush(pipe);
			usleep(10000);
		}
	}
	fclose(pipe);
}

static void capture_external(const char *path, bool is_pipe, const char *name)
{
	struct card_options opt = {
		.channels = 1, .caps = DAQ_CAP_AUTO, .interrupts = CARD_NO_INTERRUPTS,
	};
	char error[256];

	opt.input[0] = feed_open_input(path, false, error, sizeof(error));
	if (!opt.input[0])
		ktap_die("%s", error);
	client_start(c, &opt);
	client_greet(c);
	client_map_memory(c);
	client_set_master(c, true);
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_RX);
	client_post(c, 0, RING);
	client_start_chan(c, 0, DAQ_SOURCE_EXTERNAL, SEGMENT, 5120000);
	if (is_pipe)
		write_pipe(path);
	ktap_ok(client_wait_reported(c, 0, 101), "%s: all of it arrives", name);
	ktap_eq(compare_to_file(101), FILE_SIZE, "%s: byte for byte", name);
	ktap_ok(client_header(c, 0, 100).flags & DAQ_HDR_F_LAST, "%s: the end is told", name);
	ktap_eq(client_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_PRODUCED), 101, "%s: nothing more", name);
	client_stop(c);
}

/* A file that begins when it is told to, and again. */
static void test_wait(const char *path)
{
	struct card_options opt = { .channels = 1, .caps = DAQ_CAP_AUTO };
	char answer[4096], error[256];
	int fd;

	opt.input[0] = feed_open_input(path, false, error, sizeof(error));
	if (!opt.input[0])
		ktap_die("%s", error);
	feed_hold(opt.input[0], true);
	client_start(c, &opt);
	fd = control_open();
	client_greet(c);
	client_map_memory(c);
	client_set_master(c, true);
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_RX);
	client_post(c, 0, RING);
	client_start_chan(c, 0, DAQ_SOURCE_EXTERNAL, SEGMENT, 5120000);
	usleep(50000);
	ktap_eq(client_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_PRODUCED), 0, "wait: nothing comes");
	ktap_ok(control(fd, "go\n", answer, sizeof(answer)) && client_wait_reported(c, 0, 101) &&
		compare_to_file(101) == FILE_SIZE, "wait: then all of it comes");
	ktap_ok(control(fd, "rewind 0\n", answer, sizeof(answer)) &&
		client_wait_reported(c, 0, 202) &&
		!memcmp(payload(0, 101), payload(0, 0), SEGMENT), "rewind: it comes again");
	ktap_ok(!control(fd, "rewind 1\n", answer, sizeof(answer)), "rewind: not another input");
	close(fd);
	client_stop(c);
}

static void test_input(void)
{
	char folder[] = "/tmp/daq-card-XXXXXX", path[128], error[256];

	if (!mkdtemp(folder))
		ktap_die("no folder");
	snprintf(path, sizeof(path), "%s/file", folder);
	make_file(path);
	capture_external(path, false, "file");
	test_wait(path);
	unlink(path);
	ktap_ok(!feed_open_input(path, false, error, sizeof(error)) && strstr(error, "No such file"),
		"file: none");
	if (mkfifo(path, 0600))
		ktap_die("no pipe");
	capture_external(path, true, "pipe");
	ktap_ok(!feed_open_input(path, true, error, sizeof(error)) && strstr(error, "repeated"),
		"pipe: cannot be repeated");
	unlink(path);
	rmdir(folder);
}

static void test_stdin(void)
{
	int ends[2];

	if (pipe(ends) || dup2(ends[0], STDIN_FILENO) < 0)
		ktap_die("no pipe");
	close(ends[0]);
	stdin_writer = ends[1];
	capture_external("-", true, "standard input");
}

/* A packet in the guest's memory, whole, for the output. */
static void send_packet(u32 n, u32 len)
{
	struct daq_tx_desc desc = {
		.addr = cpu_to_le64(TX_DATA), .len = cpu_to_le32(len),
		.flags = cpu_to_le32(DAQ_TX_F_EOP),
	};

	memcpy(client_memory(c, TX_DESC(0)) + n * sizeof(desc), &desc, sizeof(desc));
	client_set_reg(c, DAQ_REG_QUEUE(0) + DAQ_QUEUE_TX_PROD, n + 1);
}

static void test_output(void)
{
	char folder[] = "/tmp/daq-card-XXXXXX", path[128], error[256];
	struct daq_hdr hdr = {
		.ethertype = cpu_to_be16(DAQ_ETHERTYPE), .version = DAQ_HDR_VERSION,
		.payload_len = cpu_to_be32(5000), .frame_len = cpu_to_be32(5000),
	};
	struct card_options opt = { .channels = 1, .caps = DAQ_CAP_AUTO };
	u8 *data, copy[5000], back[6000];
	u32 i;
	int fd;

	if (!mkdtemp(folder))
		ktap_die("no folder");
	snprintf(path, sizeof(path), "%s/played", folder);
	opt.output[0] = feed_open_output(path, error, sizeof(error));
	if (!opt.output[0])
		ktap_die("%s", error);
	client_start(c, &opt);
	client_greet(c);
	client_map_memory(c);
	client_set_master(c, true);
	data = client_memory(c, TX_DATA);
	memcpy(data, &hdr, sizeof(hdr));
	for (i = 0; i < sizeof(copy); i++)
		copy[i] = data[sizeof(hdr) + i] = i * 11;
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_TX);
	client_start_chan(c, 0, DAQ_SOURCE_NONE, SEGMENT, 5120000);
	send_packet(0, 5064);
	for (i = 0; i < 5000 && feed_bytes(opt.output[0]) < sizeof(copy); i++)
		usleep(1000);
	ktap_eq(client_reg(c, DAQ_REG_CHAN(0) + DAQ_CHAN_PLAYED), 1, "output: a packet is played");
	client_stop(c);
	fd = open(path, O_RDONLY);
	ktap_ok(read(fd, back, sizeof(back)) == 5000 && !memcmp(back, copy, 5000),
		"output: what was played is in the file, byte for byte");
	close(fd);
	unlink(path);
	rmdir(folder);
}

/* Nothing to do costs nothing. */
static void test_idle(void)
{
	struct timespec before, after;
	clockid_t clock;

	start_driver(8);
	client_start_queue(c, 0, DAQ_QUEUE_CTRL_RX);
	client_reg(c, DAQ_REG_ID);
	pthread_getcpuclockid(c->card->engine.thread, &clock);
	clock_gettime(clock, &before);
	usleep(300000);
	clock_gettime(clock, &after);
	ktap_ok((after.tv_sec - before.tv_sec) * NSEC_PER_SEC + after.tv_nsec - before.tv_nsec <
		NSEC_PER_MSEC, "idle: the engine sleeps");
	client_stop(c);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	ktap_begin();
	test_protocol();
	test_config();
	test_serial();
	test_registers();
	test_capture();
	test_msi();
	test_split();
	test_messages();
	test_windows();
	test_many_windows();
	test_reset();
	test_control();
	test_withhold();
	test_die();
	test_log();
	test_gauges();
	test_cut_memory();
	test_faults();
	test_input();
	test_stdin();
	test_output();
	test_idle();
	return ktap_end();
}
