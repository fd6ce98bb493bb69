// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's translator, for profile.sh: counts how often each instruction is
 * executed, for each of the contexts that the bench's module counts. That tells by an
 * instruction without effect, bench_mark(), what context it is from there on.
 *
 * Writes a line for each context and address: context, address, instructions.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What QEMU has for plugins; Debian does not package its header. */
#define EXPORT __attribute__((visibility("default")))
#define API_VERSION	7

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated_fn)(struct qemu_plugin_tb *block, void *data);
typedef void (*executed_fn)(unsigned int cpu, void *data);
typedef void (*exit_fn)(void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated_fn fn, void *data);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, executed_fn fn,
					  int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed_fn fn,
					    int flags, void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, exit_fn fn, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t i);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t len);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

EXPORT int qemu_plugin_version = API_VERSION;

/* As in bench_count.c. */
#define MARK_NOBODY	0
#define MARK_STOP	14
#define MARK_START	15
#define CONTEXTS	14

static const unsigned char mark[] = { 0x0f, 0x1f, 0x80, 0, 0x77, 0xa0, 0x5d };

struct place {
	uint64_t address;
	uint64_t count[CONTEXTS];
};

struct block {
	size_t count;
	struct place *places[];
};

#define PLACES	(1u << 20)

static struct place *places[PLACES];
static unsigned int context;	/* MARK_NOBODY: nothing is counted */
static bool started;
static const char *output = "profile";

static struct place *place_of(uint64_t address)
{
	uint32_t i = address * 0x9e3779b97f4a7c15ull >> 44;

	while (places[i] && places[i]->address != address)
		i = (i + 1) % PLACES;
	if (!places[i]) {
		places[i] = calloc(1, sizeof(*places[i]));
		if (!places[i])
			abort();
		places[i]->address = address;
	}
	return places[i];
}

static void on_mark(unsigned int cpu, void *data)
{
	uintptr_t what = (uintptr_t)data;

	(void)cpu;
	if (what == MARK_START)
		started = true;
	if (what == MARK_STOP)
		started = false;
	context = started && what < CONTEXTS ? what : MARK_NOBODY;
}

static void on_insn(unsigned int cpu, void *data)
{
	struct place *place = data;

	(void)cpu;
	if (context)
		place->count[context]++;
}

static void on_block(unsigned int cpu, void *data)
{
	const struct block *block = data;
	size_t i;

	(void)cpu;
	if (!context)
		return;
	for (i = 0; i < block->count; i++)
		block->places[i]->count[context]++;
}

/* Returns what a mark tells, or -1: it is none. */
static int mark_of(const struct qemu_plugin_insn *insn)
{
	unsigned char code[sizeof(mark)];
	int what;

	if (qemu_plugin_insn_data(insn, code, sizeof(code)) != sizeof(code))
		return -1;
	what = code[3];
	code[3] = 0;
	return memcmp(code, mark, sizeof(mark)) ? -1 : what;
}

static bool has_marks(const struct qemu_plugin_tb *tb)
{
	size_t i;

	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		if (mark_of(qemu_plugin_tb_get_insn(tb, i)) >= 0)
			return true;
	return false;
}

static void watch_each(struct qemu_plugin_tb *tb)
{
	size_t i;

	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		int what = mark_of(insn);
		void *data = (void *)(uintptr_t)what;

		if (what < 0)
			data = place_of(qemu_plugin_insn_vaddr(insn));
		qemu_plugin_register_vcpu_insn_exec_cb(insn, what < 0 ? on_insn : on_mark, 0,
						       data);
	}
}

static void on_translated(struct qemu_plugin_tb *tb, void *unused)
{
	size_t i, count = qemu_plugin_tb_n_insns(tb);
	struct block *block;

	(void)unused;
	if (has_marks(tb)) {
		watch_each(tb);
		return;
	}
	block = malloc(sizeof(*block) + count * sizeof(block->places[0]));
	if (!block)
		abort();
	block->count = count;
	for (i = 0; i < count; i++)
		block->places[i] = place_of(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i)));
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, block);
}

static void on_exit_of_qemu(void *unused)
{
	FILE *file = fopen(output, "w");
	uint32_t i, c;

	(void)unused;
	if (!file)
		return;
	for (i = 0; i < PLACES; i++)
		for (c = 1; places[i] && c < CONTEXTS; c++)
			if (places[i]->count[c])
				fprintf(file, "%u %016" PRIx64 " %" PRIu64 "\n", c,
					places[i]->address, places[i]->count[c]);
	fclose(file);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc > 0 && !strncmp(argv[0], "output=", 7))
		output = strdup(argv[0] + 7);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated, NULL);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
