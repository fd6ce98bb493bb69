// SPDX-License-Identifier: GPL-2.0
/*
 * usage: card_doc [CARD.RST]
 *
 * Compares the tables of registers in Documentation/card.rst with the names in
 * daq_hw.h and with what the card model answers.
 */
#include <ctype.h>
#include <errno.h>
#include "card_host.h"

#define CHANNELS	3
#define CAPS		(DAQ_CAP_IRQ | DAQ_CAP_AUTO | DAQ_CAP_USER)
#define MAX_ROWS	128

/* A register as the document has it. */
struct row {
	const char *page;	/* of its name in daq_hw.h */
	u32 offset;
	u32 bits;
	char access[8];
	char reset[16];
	char name[32];
};

static const struct {
	const char *page;
	const char *name;
	u32 offset;
} names[] = {
#include "card_names.h"
};

static struct row rows[MAX_ROWS];
static u32 nr_rows;

static const char *page_of_heading(const char *line)
{
	if (!strncmp(line, "Global page", 11))
		return "REG";
	if (!strncmp(line, "Channel *i*", 11))
		return "CHAN";
	if (!strncmp(line, "Queue *i*", 9))
		return "QUEUE";
	if (!strncmp(line, "User page *i*", 13))
		return "USER";
	return NULL;
}

static void read_document(const char *path)
{
	const char *page = NULL, *heading;
	FILE *file = fopen(path, "r");
	char line[256], hex[8];

	if (!file)
		ktap_die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		struct row *row = &rows[nr_rows];

		heading = page_of_heading(line);
		if (heading)
			page = heading;
		if (!page || sscanf(line, "%7s %u %7s %15s ``%31[A-Z_]``", hex, &row->bits,
				    row->access, row->reset, row->name) != 5)
			continue;
		row->page = page;
		row->offset = strtoul(hex, NULL, 16);
		if (++nr_rows == MAX_ROWS)
			ktap_die("%s: more than %u registers", path, MAX_ROWS - 1);
		if (!strcmp(row->page, "USER") && !strcmp(row->name, "RESERVED"))
			break;
	}
	fclose(file);
}

static const struct row *find_row(const char *page, const char *name)
{
	u32 i;

	for (i = 0; i < nr_rows; i++)
		if (!strcmp(rows[i].page, page) && !strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static bool in_header(const struct row *row)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(row->page, names[i].page) && !strcmp(row->name, names[i].name))
			return row->offset == names[i].offset;
	return false;
}

static void test_names(void)
{
	const struct row *row;
	u32 i;

	for (i = 0; i < nr_rows; i++)
		if (!in_header(&rows[i]))
			ktap_ok(false, "names: DAQ_%s_%s is 0x%03x in daq_hw.h", rows[i].page,
				rows[i].name, rows[i].offset);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		row = find_row(names[i].page, names[i].name);
		if (!row)
			ktap_ok(false, "names: DAQ_%s_%s is in the document", names[i].page,
				names[i].name);
	}
	ktap_ok(nr_rows > 40 && nr_rows == ARRAY_SIZE(names),
		"names: the %u registers of the document are those of daq_hw.h", nr_rows);
}

/* The register of the last channel or queue. */
static u32 address(const struct row *row)
{
	if (!strcmp(row->page, "CHAN"))
		return DAQ_REG_CHAN(CHANNELS - 1) + row->offset;
	if (!strcmp(row->page, "QUEUE"))
		return DAQ_REG_QUEUE(CHANNELS - 1) + row->offset;
	return row->offset;
}

static bool in_user_page(const struct row *row)
{
	return !strcmp(row->page, "USER");
}

static u64 value(const struct row *row)
{
	u32 reg = address(row);

	if (in_user_page(row))
		return daq_model_user_read(&model, CHANNELS - 1, row->offset);
	return row->bits == 64 ? read64(reg) : daq_model_read(&model, reg);
}

static u64 reset_value(const struct row *row)
{
	if (!strcmp(row->reset, "caps"))
		return CAPS;
	if (!strcmp(row->reset, "n"))
		return CHANNELS;
	if (!strcmp(row->reset, "i"))
		return CHANNELS - 1;
	if (!strcmp(row->reset, "time"))
		return host.now;
	return strtoull(row->reset, NULL, 0);
}

static void fill(const struct row *row)
{
	if (in_user_page(row)) {
		daq_model_user_write(&model, CHANNELS - 1, row->offset, UINT32_MAX);
		return;
	}
	daq_model_write(&model, address(row), UINT32_MAX);
	if (row->bits == 64)
		daq_model_write(&model, address(row) + 4, UINT32_MAX);
}

/* Queues have not been set up, as power_on() would. */
static void reset_card(void)
{
	power_on_with(CHANNELS, CAPS);
	daq_model_write(&model, DAQ_REG_CTRL, DAQ_CTRL_RESET);
}

static void test_reset_values(void)
{
	u32 i, wrong = 0;

	reset_card();
	for (i = 0; i < nr_rows; i++) {
		if (value(&rows[i]) == reset_value(&rows[i]))
			continue;
		printf("# %s_%s is 0x%llx\n", rows[i].page, rows[i].name,
		       (unsigned long long)value(&rows[i]));
		wrong++;
	}
	ktap_eq(wrong, 0, "reset values are those of the document");
}

/*
 * Some registers have bits with a meaning only: what reads back of all ones.
 * ENABLE is last, and events come by themselves only.
 */
static u64 readable(const struct row *row)
{
	if (!strcmp(row->page, "REG") && !strcmp(row->name, "CTRL"))
		return 0;
	/* There are no rings to start with. */
	if (!strcmp(row->page, "QUEUE") && !strcmp(row->name, "CTRL"))
		return 0;
	if (!strcmp(row->name, "EVENT_MASK"))
		return DAQ_EVENT_DMA_ERROR | DAQ_EVENT_USER;
	if (!strcmp(row->page, "CHAN") && !strcmp(row->name, "USER"))
		return DAQ_CHAN_USER_OPEN;
	return row->bits == 64 ? U64_MAX : UINT32_MAX;
}

static bool access_is_right(const struct row *row)
{
	u64 before;

	reset_card();
	if (in_user_page(row))
		set_chan(CHANNELS - 1, DAQ_CHAN_USER, DAQ_CHAN_USER_OPEN);
	before = value(row);
	if (!strcmp(row->access, "rw1c")) {
		model.events = 3;
		daq_model_write(&model, address(row), 1);
		return value(row) == 2;
	}
	fill(row);
	if (!strcmp(row->access, "rw"))
		return value(row) == readable(row);
	return value(row) == before && (strcmp(row->access, "wo") || !before);
}

static void test_access(void)
{
	u32 i, wrong = 0;

	for (i = 0; i < nr_rows; i++) {
		if (access_is_right(&rows[i]))
			continue;
		printf("# %s_%s is not %s\n", rows[i].page, rows[i].name, rows[i].access);
		wrong++;
	}
	ktap_eq(wrong, 0, "access is that of the document");
}

static bool documented(u32 reg)
{
	u32 i;

	for (i = 0; i < nr_rows; i++)
		if (!in_user_page(&rows[i]) && reg >= address(&rows[i]) && reg < address(&rows[i]) + rows[i].bits / 8)
			return true;
	return false;
}

/* Every other word of the last channel's page and of the global one. */
static void test_holes(void)
{
	u32 pages[] = { 0, DAQ_REG_CHAN(CHANNELS - 1) };
	u32 i, reg, wrong = 0;

	reset_card();
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		for (reg = pages[i]; reg < pages[i] + DAQ_REG_PAGE_SIZE; reg += 4) {
			if (documented(reg))
				continue;
			daq_model_write(&model, reg, UINT32_MAX);
			wrong += daq_model_read(&model, reg) != 0;
		}
	}
	ktap_eq(wrong, 0, "what is not in the document reads 0 and ignores writes");
}

int main(int argc, char **argv)
{
	ktap_begin();
	read_document(argc > 1 ? argv[1] : "Documentation/card.rst");
	test_names();
	test_reset_values();
	test_access();
	test_holes();
	free(host.memory);
	return ktap_end();
}
