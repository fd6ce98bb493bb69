// SPDX-License-Identifier: GPL-2.0
/*
 * What the bench has measured, as tables and curves; and whether the steady state of
 * the library is what it has to be, as KTAP.
 *
 *   bench-report RESULTS FOLDER     writes FOLDER/table.md and FOLDER/NAME.png
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "../ktap.h"
#include "daq.h"
#include "canvas.h"
#include "image.h"

#define MAX_ROWS	1024
#define MAX_KEYS	64
#define PATH		512

struct row {
	unsigned int count;
	char *key[MAX_KEYS];
	char *value[MAX_KEYS];
};

static struct row rows[MAX_ROWS];
static unsigned int row_count;
static const char *folder;
static FILE *table;

static const struct {
	const char *name;
	const char *title;
	double copies;	/* of each byte, by the processor */
} cases[] = {
	{ "a", "libdaqring, zero copy", 0 },
	{ "b", "bare libxdp, zero copy", 0 },
	{ "c", "AF_XDP, copy mode", 1 },
	{ "d", "AF_PACKET, recvfrom", 1 },
	{ "e", "AF_PACKET, TPACKET_V3", 1 },
	{ "f", "read() into pinned pages", 0 },
	{ "g", "read() with copy_to_user", 1 },
	{ "h", "polling thread, signal, ioctl", 2 },
};

#define CASES	(sizeof(cases) / sizeof(*cases))

/* What image.c says when it fails, as the daq command would. */
int failure(const char *fmt, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return 1;
}

/* ---- Results ---- */

static void parse(char *line)
{
	struct row *row = &rows[row_count];
	char *word, *rest = line;

	while ((word = strsep(&rest, " \n"))) {
		char *value = strchr(word, '=');

		if (!value || row->count == MAX_KEYS)
			continue;
		*value = '\0';
		row->key[row->count] = word;
		row->value[row->count++] = value + 1;
	}
	row_count += row->count > 0;
}

static void read_results(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		ktap_die("%s: %m", path);
	while (row_count < MAX_ROWS && getline(&line, &size, file) > 0) {
		parse(line);
		line = NULL;
		size = 0;
	}
	fclose(file);
}

static const char *text_of(const struct row *row, const char *key)
{
	unsigned int i;

	for (i = 0; i < row->count; i++)
		if (!strcmp(row->key[i], key))
			return row->value[i];
	return "";
}

static double value_of(const struct row *row, const char *key)
{
	return atof(text_of(row, key));
}

static bool is(const struct row *row, const char *group, const char *which)
{
	return !strcmp(text_of(row, "group"), group) &&
	       (!which || !strcmp(text_of(row, "case"), which));
}

/* The first one, or NULL. */
static const struct row *find(const char *group, const char *which)
{
	unsigned int i;

	for (i = 0; i < row_count; i++)
		if (is(&rows[i], group, which))
			return &rows[i];
	return NULL;
}

/* ---- What they mean ---- */

static double frames(const struct row *row)
{
	return value_of(row, "frames");
}

static double segments(const struct row *row)
{
	return frames(row) * value_of(row, "frame") / value_of(row, "segment");
}

static double bytes(const struct row *row)
{
	return frames(row) * value_of(row, "frame");
}

/* Instructions, where ticks are; else ticks. */
static double instructions(const struct row *row, const char *key)
{
	return value_of(row, key) * value_of(row, "per_tick");
}

static double per_segment(const struct row *row)
{
	return instructions(row, "work") / segments(row);
}

static double per_byte(const struct row *row)
{
	return instructions(row, "work") / bytes(row);
}

static double per_frame(const struct row *row, const char *key)
{
	return value_of(row, key) / frames(row);
}

static double microseconds(const struct row *row, const char *key)
{
	return value_of(row, key) * 1000 / value_of(row, "khz");
}

/* Seconds of a processor per 1e9 bytes. */
static double seconds(const struct row *row, const char *key)
{
	return value_of(row, key) / value_of(row, "khz") / 1000 / bytes(row) * 1e9;
}

/* ---- Tables ---- */

__attribute__((format(printf, 1, 2)))
static void put(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(table, fmt, args);
	va_end(args);
}

static void put_event(const struct row *row, const char *key)
{
	if (!row || !strcmp(text_of(row, key), "-"))
		put(" |");
	else
		put(" %.4g |", per_frame(row, key));
}

static void put_machine(void)
{
	const struct row *row = find("machine", NULL), *a = find("fetch", "a");

	if (!row || !a)
		return;
	put("Kernel %s, %s processor(s) \"%s\", ERMS %s, FSRM %s; %.2f ticks of the time stamp counter per\n"
	    "instruction of a loop, %.0f ticks per microsecond.\n\n",
	    text_of(row, "kernel"), text_of(row, "processors"), text_of(row, "processor"),
	    atoi(text_of(row, "erms")) ? "yes" : "no", atoi(text_of(row, "fsrm")) ? "yes" : "no",
	    1 / value_of(a, "per_tick"), value_of(a, "khz") / 1000);
}

static void put_costs(void)
{
	unsigned int i;

	put("Segments of 64 KiB, ten of them a frame; instructions without those of the card:\n\n"
	    "| | way | instr./segment | instr./byte, fetch | instr./byte, touch | highest MB/s | copies/byte |\n"
	    "|---|---|---:|---:|---:|---:|---:|\n");
	for (i = 0; i < CASES; i++) {
		const struct row *fetch = find("fetch", cases[i].name);
		const struct row *touch = find("touch", cases[i].name);
		const struct row *rate = find("rate", cases[i].name);

		if (!fetch)
			continue;
		put("| %s | %s | %.0f | %.4f |", cases[i].name, cases[i].title,
		    per_segment(fetch), per_byte(fetch));
		if (touch)
			put(" %.4f |", per_byte(touch));
		else
			put(" |");
		if (rate)
			put(" %.0f |", value_of(rate, "rate") / 1e6);
		else
			put(" |");
		put(" %.0f |\n", cases[i].copies);
	}
	put("\n");
}

static void put_events(void)
{
	unsigned int i;

	put("Per frame:\n\n"
	    "| | wake-ups | system calls | interrupts | softirqs | page faults | DMA maps | allocations | p50 us | p99 us | max us |\n"
	    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (i = 0; i < CASES; i++) {
		const struct row *fetch = find("fetch", cases[i].name);
		const struct row *row = find("events", cases[i].name);

		if (!fetch)
			continue;
		put("| %s |", cases[i].name);
		put_event(fetch, "sleeps");
		put_event(row, "syscalls");
		put_event(fetch, "irqs");
		put_event(fetch, "softirqs");
		put_event(row, "rusage_faults");
		put_event(row, "maps");
		put_event(row, "allocs");
		put(" %.0f | %.0f | %.0f |\n", microseconds(fetch, "p50"),
		    microseconds(fetch, "p99"), microseconds(fetch, "max"));
	}
	put("\n");
}

static void put_split(void)
{
	unsigned int i;

	put("Seconds of a processor per GB, fetch:\n\n"
	    "| | user | system | interrupt | softirq | sum | the card itself |\n"
	    "|---|---:|---:|---:|---:|---:|---:|\n");
	for (i = 0; i < CASES; i++) {
		const struct row *row = find("events", cases[i].name);

		if (row)
			put("| %s | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |\n", cases[i].name,
			    seconds(row, "user"), seconds(row, "system"), seconds(row, "irq"),
			    seconds(row, "softirq"), seconds(row, "work"), seconds(row, "card"));
	}
	put("\n");
}

static void put_sizes(void)
{
	unsigned int i, j;

	if (!find("segments", "a"))
		return;
	put("Instructions per segment by its size, 16 segments a frame, fetch:\n\n| bytes |");
	for (i = 0; i < CASES; i++)
		if (find("segments", cases[i].name))
			put(" %s |", cases[i].name);
	put("\n|---:|");
	for (i = 0; i < CASES; i++)
		if (find("segments", cases[i].name))
			put("---:|");
	put("\n");
	for (i = 0; i < row_count; i++) {
		if (!is(&rows[i], "segments", "a"))
			continue;
		put("| %s |", text_of(&rows[i], "segment"));
		for (j = i; j < row_count && is(&rows[j], "segments", NULL) &&
		     value_of(&rows[j], "segment") == value_of(&rows[i], "segment"); j++)
			put(" %.0f |", per_segment(&rows[j]));
		put("\n");
	}
	put("\n");
}

static void put_scaling(const char *group, const char *key, const char *title)
{
	unsigned int i;

	if (!find(group, "a"))
		return;
	put("| %s | instr./byte | wake-ups/frame | interrupts/frame | lost |\n|---:|---:|---:|---:|---:|\n",
	    title);
	for (i = 0; i < row_count; i++)
		if (is(&rows[i], group, "a"))
			put("| %s | %.4f | %.3g | %.3g | %s |\n", text_of(&rows[i], key),
			    per_byte(&rows[i]), per_frame(&rows[i], "sleeps"),
			    per_frame(&rows[i], "irqs"), text_of(&rows[i], "lost"));
	put("\n");
}

static const struct {
	const char *name;
	const char *title;
} outside[] = {
	{ "vivid", "V4L2 mmap, vivid" },
	{ "comedi", "comedi mmap, comedi_test" },
	{ "veth-d", "AF_PACKET, recvfrom, veth" },
	{ "veth-e", "AF_PACKET, TPACKET_V3, veth" },
	{ "veth-x", "AF_XDP, native, copy mode, veth" },
};

static void put_other(const char *name, const char *title)
{
	const struct row *fetch = find("outside", name), *touch = find("touched", name);
	const struct row *row = find("events", name);

	if (!fetch)
		return;
	put("| %s | %s | %s | %.4f |", name, title, text_of(fetch, "frame"), per_byte(fetch));
	if (touch)
		put(" %.4f |", per_byte(touch));
	else
		put(" |");
	put(" %.4f |", (instructions(fetch, "work") + instructions(fetch, "card") +
			instructions(fetch, "clock")) / bytes(fetch));
	put_event(fetch, "sleeps");
	put_event(row, "syscalls");
	put_event(row, "rusage_faults");
	put(" %s |\n", text_of(fetch, "lost"));
}

static void put_outside(void)
{
	unsigned int i;

	if (!find("outside", NULL) && !find("missing", NULL))
		return;
	put("Others, events per frame of so many bytes; instructions per byte, without and with those\n"
	    "of the source and the clock:\n\n"
	    "| | way | frame | fetch | touch | fetch, with the source | wake-ups | system calls | page faults | lost |\n"
	    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		put_other(outside[i].name, outside[i].title);
	put("\n");
	for (i = 0; i < row_count; i++) {
		if (is(&rows[i], "missing", NULL))
			put("Not measured: there is no module %s.\n\n", text_of(&rows[i], "what"));
		if (is(&rows[i], "failed", NULL))
			put("Not measured: %s: %s.\n\n", text_of(&rows[i], "options"),
			    text_of(&rows[i], "why"));
	}
}

/* Slope and intercept of instructions per segment over its pages. */
static bool fit(double *page, double *fixed)
{
	double n = 0, x = 0, y = 0, xx = 0, xy = 0;
	unsigned int i;

	for (i = 0; i < row_count; i++) {
		double pages, cost;

		if (!is(&rows[i], "segments", "a") || value_of(&rows[i], "segment") < 4096)
			continue;
		pages = value_of(&rows[i], "segment") / 4096;
		cost = per_segment(&rows[i]);
		n++;
		x += pages;
		y += cost;
		xx += pages * pages;
		xy += pages * cost;
	}
	if (n < 2)
		return false;
	*page = (n * xy - x * y) / (n * xx - x * x);
	*fixed = (y - *page * x) / n;
	return true;
}

static void goal(const char *what, double measured, const char *unit, double wanted, bool least)
{
	put("| %s | %s %.4g%s | %.4g%s | %s |\n", what, least ? ">=" : "<=", wanted, unit, measured,
	    unit, (least ? measured >= wanted : measured <= wanted) ? "yes" : "**no**");
}

static void goal_ratio(const char *title, const char *less, const char *more, double wanted)
{
	const struct row *a = find("fetch", less), *b = find("fetch", more);

	if (a && b)
		goal(title, per_byte(b) / per_byte(a), "x", wanted, true);
}

static const struct row *sized(const char *which, const char *bytes_text)
{
	unsigned int i;

	for (i = 0; i < row_count; i++)
		if (is(&rows[i], "segments", which) &&
		    !strcmp(text_of(&rows[i], "segment"), bytes_text))
			return &rows[i];
	return NULL;
}

static void put_less(const char *other)
{
	unsigned int i;
	double worst = 1e9;

	for (i = 0; i < row_count; i++) {
		const struct row *b;

		if (!is(&rows[i], "segments", "a") || value_of(&rows[i], "segment") < 4096)
			continue;
		b = sized(other, text_of(&rows[i], "segment"));
		if (b && per_byte(b) / per_byte(&rows[i]) < worst)
			worst = per_byte(b) / per_byte(&rows[i]);
	}
	if (worst < 1e9) {
		char text[80];

		snprintf(text, sizeof(text), "%s / a, at any segment size from 4 KiB on", other);
		goal(text, worst, "x", 1, true);
	}
}

static void put_goals(void)
{
	const struct row *a = find("rate", "a"), *h = find("rate", "h"), *b;
	double page, fixed;

	put("| goal | wanted | measured | met |\n|---|---:|---:|---|\n");
	if (fit(&page, &fixed)) {
		goal("instructions per 4 KiB page", page, "", 200, false);
		goal("instructions per segment, apart from its pages", fixed, "", 1500, false);
	}
	if (a && h)
		goal("highest rate, a / h", value_of(a, "rate") / value_of(h, "rate"), "x", 100, true);
	goal_ratio("instructions per byte, d / a", "a", "d", 5);
	goal_ratio("instructions per byte, e / a", "a", "e", 4);
	goal_ratio("instructions per byte, c / a", "a", "c", 4);
	put_less("f");
	put_less("g");
	a = find("fetch", "a");
	b = find("fetch", "b");
	if (a && b)
		goal("instructions, a more than b", 100 * (per_byte(a) / per_byte(b) - 1), " %", 5, false);
	b = find("tap", "a");
	if (a && b)
		put("| instructions per segment that tcpdump adds | stated | %.0f | |\n",
		    per_segment(b) - per_segment(a));
	b = find("gone", "a");
	if (b)
		put("| instructions per segment, before a tap and after it has gone | stated | %.0f, %.0f | |\n",
		    instructions(b, "untapped") / segments(b), per_segment(b));
	put("\n");
}

/* ---- Curves ---- */

#define WIDTH	900
#define HEIGHT	560
#define LEFT	90.0
#define RIGHT	(WIDTH - 190.0)
#define TOP	60.0
#define BOTTOM	(HEIGHT - 70.0)

static const colour inks[] = {
	0x1f77b4, 0xd62728, 0x2ca02c, 0xff7f0e, 0x9467bd, 0x8c564b, 0x17becf, 0x7f7f7f,
};

/* Both axes are logarithmic. */
struct scale {
	double min;
	double max;
};

static void widen(struct scale *scale, double value)
{
	if (!scale->max || value > scale->max)
		scale->max = value;
	if (!scale->min || value < scale->min)
		scale->min = value;
}

static double place(const struct scale *scale, double value, double from, double to)
{
	if (scale->max <= scale->min)
		return (from + to) / 2;
	return from + (to - from) * log(value / scale->min) / log(scale->max / scale->min);
}

static void short_number(char *text, size_t size, double value)
{
	if (value >= 1 << 20 && fmod(value, 1 << 20) == 0)
		snprintf(text, size, "%.0f Mi", value / (1 << 20));
	else if (value >= 1024 && fmod(value, 1024) == 0)
		snprintf(text, size, "%.0f Ki", value / 1024);
	else
		snprintf(text, size, "%.4g", value);
}

struct curve {
	const char *group;	/* of results */
	const char *key;	/* to be on the X axis */
	const char *x;		/* what that is called */
	const char *title;
	const char *file;
	bool segment;		/* instructions per segment, else per byte */
};

static double cost(const struct curve *curve, const struct row *row)
{
	return curve->segment ? per_segment(row) : per_byte(row);
}

static void find_scales(const struct curve *curve, struct scale *x, struct scale *y)
{
	unsigned int i;

	for (i = 0; i < row_count; i++) {
		if (!is(&rows[i], curve->group, NULL))
			continue;
		widen(x, value_of(&rows[i], curve->key));
		widen(y, cost(curve, &rows[i]));
	}
	y->min /= 1.2;
	y->max *= 1.2;
}

static void draw_axes(struct canvas *canvas, const struct curve *curve, const struct scale *x,
		      const struct scale *y)
{
	double power, value, at;
	unsigned int i, step;
	char text[32];

	for (i = 0; i < row_count; i++) {
		if (!is(&rows[i], curve->group, "a"))
			continue;
		value = value_of(&rows[i], curve->key);
		at = place(x, value, LEFT, RIGHT);
		canvas_line(canvas, at, TOP, at, BOTTOM, 1, 0xe4e4e4);
		short_number(text, sizeof(text), value);
		canvas_text(canvas, at, BOTTOM + 16, TEXT_CENTRE, text, 0x333333);
	}
	for (power = pow(10, floor(log10(y->min))); power <= y->max; power *= 10) {
		for (step = 1; step < 10; step++) {
			value = power * step;
			if (value < y->min || value > y->max)
				continue;
			at = place(y, value, BOTTOM, TOP);
			canvas_line(canvas, LEFT, at, RIGHT, at, 1, 0xe4e4e4);
			if (step != 1 && step != 2 && step != 5)
				continue;
			snprintf(text, sizeof(text), "%g", value);
			canvas_text(canvas, LEFT - 10, at, TEXT_RIGHT, text, 0x333333);
		}
	}
	canvas_text(canvas, LEFT, 22, TEXT_LEFT, curve->title, 0x333333);
	canvas_text(canvas, LEFT, TOP - 14, TEXT_LEFT,
		    curve->segment ? "instructions per segment" : "instructions per byte", 0x777777);
	canvas_text(canvas, (LEFT + RIGHT) / 2, BOTTOM + 42, TEXT_CENTRE, curve->x, 0x777777);
}

static void draw_case(struct canvas *canvas, const struct curve *curve, unsigned int which,
		      const struct scale *x, const struct scale *y, double *label)
{
	double last_x = 0, last_y = 0;
	bool begun = false;
	unsigned int i;

	for (i = 0; i < row_count; i++) {
		double at_x, at_y;

		if (!is(&rows[i], curve->group, cases[which].name))
			continue;
		at_x = place(x, value_of(&rows[i], curve->key), LEFT, RIGHT);
		at_y = place(y, cost(curve, &rows[i]), BOTTOM, TOP);
		if (begun)
			canvas_line(canvas, last_x, last_y, at_x, at_y, 2, inks[which]);
		canvas_box(canvas, at_x - 3, at_y - 3, at_x + 3, at_y + 3, inks[which]);
		last_x = at_x;
		last_y = at_y;
		begun = true;
	}
	if (!begun)
		return;
	canvas_text(canvas, RIGHT + 16, *label, TEXT_LEFT, cases[which].name, inks[which]);
	*label += 22;
}

static void draw(const struct curve *curve)
{
	struct scale x = { 0 }, y = { 0 };
	struct image image = { .width = WIDTH, .height = HEIGHT, .bits = 8 };
	double label = TOP + 10;
	struct canvas canvas;
	char path[PATH];
	unsigned int i;

	if (!find(curve->group, "a"))
		return;
	find_scales(curve, &x, &y);
	image.pixels = malloc(3 * WIDTH * HEIGHT);
	if (!image.pixels || !canvas_init(&canvas, WIDTH, HEIGHT, 0xffffff))
		ktap_die("no memory");
	draw_axes(&canvas, curve, &x, &y);
	for (i = 0; i < CASES; i++)
		draw_case(&canvas, curve, i, &x, &y, &label);
	canvas_finish(&canvas, image.pixels);
	snprintf(path, sizeof(path), "%s/%s.png", folder, curve->file);
	if (image_write(&image, path, NULL, 0))
		ktap_die("%s cannot be written", path);
	canvas_free(&canvas);
	free(image.pixels);
}

static const struct curve curves[] = {
	{ "segments", "segment", "bytes of a segment", "Cost of a segment by its size",
	  "segment", true },
	{ "segments", "segment", "bytes of a segment", "Cost of a byte by the size of its segment",
	  "byte", false },
	{ "channels", "channels", "channels", "Cost of a byte by the number of channels", "channels",
	  false },
	{ "frames", "frame", "bytes of a frame", "Cost of a byte by the size of frames", "frame",
	  false },
	{ "buffers", "buffer", "bytes of memory for frames", "Cost of a byte by memory for frames",
	  "buffer", false },
	{ "moderation", "rx_frames", "frames per interrupt",
	  "Cost of a byte by frames per interrupt", "moderation", false },
};

/* ---- The steady state ---- */

static void check_case_works(const char *name)
{
	const struct row *row = find("fetch", name);

	ktap_ok(row && value_of(row, "lost") == 0 && value_of(row, "work") > 0,
		"case %s: works, and loses nothing", name);
}

static void check_steady(void)
{
	const struct row *fetch = find("fetch", "a"), *row = find("events", "a");

	if (!fetch || !row)
		ktap_die("case a has not been measured");
	/* a page or a lock may be waited for, too */
	ktap_ok(value_of(fetch, "sleeps") > 0 && value_of(fetch, "sleeps") <= frames(fetch) + 1,
		"a: one wake-up per frame");
	ktap_ok(value_of(row, "syscalls") - 1 <= 2 * frames(row),
		"a: two system calls per frame at most");
	ktap_ok(per_frame(fetch, "irqs") <= 1, "a: one interrupt per frame at most");
	ktap_eq(value_of(row, "rusage_faults"), 0, "a: no page fault");
	ktap_eq(value_of(row, "maps"), 0, "a: no DMA mapping");
	ktap_eq(value_of(row, "allocs"), 0, "a: no allocation");
}

/* The same measurement twice. */
static void check_again(const char *name)
{
	const struct row *first = find("fetch", name), *second = find("again", name);
	double off;

	if (!first || !second) {
		ktap_skip("the same again", "not measured twice");
		return;
	}
	off = 100 * fabs(value_of(second, "work") / value_of(first, "work") - 1);
	printf("# %s: %.3f %% off\n", name, off);
	ktap_ok(off < 1, "%s: measured again it is the same within 1 %%", name);
}

static void check_gone_tap(void)
{
	const struct row *row = find("gone", "a");
	double more;

	if (!row) {
		ktap_skip("a tap that has gone", "not measured");
		return;
	}
	more = 100 * (value_of(row, "work") / value_of(row, "untapped") - 1);
	printf("# a tap that has gone: %+.3f %%\n", more);
	ktap_ok(more < 1, "a: a tap that has gone costs nothing, within 1 %%");
}

static void check_instruments(void)
{
	const struct row *f = find("events", "f"), *d = find("events", "d");

	if (f)
		ktap_ok(value_of(f, "maps") > 0, "that DMA mappings are seen: f has some");
	if (d)
		ktap_ok(value_of(d, "syscalls") > segments(d), "and system calls: d has many");
}

int main(int argc, char **argv)
{
	char path[PATH];
	unsigned int i;

	ktap_begin();
	if (argc != 3)
		ktap_die("usage: bench-report RESULTS FOLDER");
	folder = argv[2];
	read_results(argv[1]);
	snprintf(path, sizeof(path), "%s/table.md", folder);
	table = fopen(path, "w");
	if (!table)
		ktap_die("%s: %m", path);
	put_machine();
	put_costs();
	put_events();
	put_split();
	put_goals();
	put_sizes();
	put_scaling("fixed", "frame", "frame of 4 KiB segments");
	put_scaling("channels", "channels", "channels");
	put_scaling("frames", "frame", "frame");
	put_scaling("buffers", "buffer", "memory");
	put_scaling("moderation", "rx_frames", "frames per interrupt");
	put_outside();
	fclose(table);
	for (i = 0; i < sizeof(curves) / sizeof(*curves); i++)
		draw(&curves[i]);

	check_steady();
	for (i = 0; i < CASES; i++)
		if (find("fetch", cases[i].name))
			check_case_works(cases[i].name);
	check_again("a");
	check_again("d");
	check_gone_tap();
	check_instruments();
	return ktap_end();
}
