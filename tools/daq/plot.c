// SPDX-License-Identifier: GPL-2.0
/* Plots: axes with round numbers at their ticks, curves of any number of samples. */
#include <math.h>
#include <stdio.h>
#include "plot.h"

#define GRID		0xe4e7eb
#define FRAME		0x9aa3ad
#define TEXT		0x2f3740
#define FAINT		0x6b7580
#define CURVE		0x1763b6
#define MARK		0xd1495b

/* Room for labels around a plot. */
#define ROOM_LEFT	100
#define ROOM_RIGHT	34
#define ROOM_TOP	66
#define ROOM_BOTTOM	50
#define TICK_X		110	/* pixels between ticks, about */
#define TICK_Y		55
#define LINE		1.6

/* One direction of a plot: what its ends stand for, and where they are. */
struct axis {
	double min;
	double max;
	double from;
	double to;
};

static double place_on(const struct axis *axis, double value)
{
	return axis->from + (value - axis->min) / (axis->max - axis->min) * (axis->to - axis->from);
}

/* 1, 2 or 5 times a power of ten: at least @step. */
static double round_up(double step)
{
	double power = pow(10, floor(log10(step)));
	double digit = step / power;

	return (digit <= 1.0000001 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
}

/* So that numbers at the ticks are short: "ms" and 1e-3 for 0.02 s. */
struct unit {
	double scale;
	const char *name;
};

static const struct unit times[] = {
	{ 1, "s" }, { 1e-3, "ms" }, { 1e-6, "us" }, { 1e-9, "ns" }, { 0, NULL },
};

static const struct unit frequencies[] = {
	{ 1e9, "GHz" }, { 1e6, "MHz" }, { 1e3, "kHz" }, { 1, "Hz" }, { 0, NULL },
};

static const struct unit *choose(const struct unit *units, double max)
{
	while (units[1].name && max < units->scale)
		units++;
	return units;
}

/* As many digits behind the point as the distance of ticks needs. */
static void number(char *text, size_t size, double value, double step)
{
	int digits = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;

	/* not "-0" */
	if (fabs(value) < step / 1000)
		value = 0;
	if (fabs(value) >= 1e7 || step < 1e-5)
		snprintf(text, size, "%.6g", value);
	else
		snprintf(text, size, "%.*f", digits, value);
}

static double step_of(const struct axis *axis, double scale, double distance)
{
	double ticks = fabs(axis->to - axis->from) / distance;

	return round_up((axis->max - axis->min) / scale / (ticks > 1 ? ticks : 1));
}

static void draw_x(struct canvas *canvas, const struct axis *x, const struct axis *y,
		   const struct unit *unit, const char *label)
{
	double step = step_of(x, unit->scale, TICK_X), value, at;
	char text[64];

	for (value = ceil(x->min / unit->scale / step - 1e-9) * step;
	     value <= x->max / unit->scale + step * 1e-9; value += step) {
		at = place_on(x, value * unit->scale);
		canvas_line(canvas, at, y->from, at, y->to, 1, GRID);
		number(text, sizeof(text), value, step);
		canvas_text(canvas, at, y->from + 16, TEXT_CENTRE, text, TEXT);
	}
	snprintf(text, sizeof(text), "%s (%s)", label, unit->name);
	canvas_text(canvas, (x->from + x->to) / 2, y->from + 38, TEXT_CENTRE, text, FAINT);
}

static void draw_y(struct canvas *canvas, const struct axis *x, const struct axis *y,
		   const char *label)
{
	double step = step_of(y, 1, TICK_Y), value, at;
	char text[64];

	for (value = ceil(y->min / step - 1e-9) * step; value <= y->max + step * 1e-9;
	     value += step) {
		at = place_on(y, value);
		canvas_line(canvas, x->from, at, x->to, at, 1, GRID);
		number(text, sizeof(text), value, step);
		canvas_text(canvas, x->from - 10, at, TEXT_RIGHT, text, TEXT);
	}
	canvas_text(canvas, x->from, y->to - 16, TEXT_LEFT, label, FAINT);
}

static void draw_frame(struct canvas *canvas, const struct axis *x, const struct axis *y)
{
	canvas_line(canvas, x->from, y->from, x->to, y->from, 1, FRAME);
	canvas_line(canvas, x->from, y->to, x->to, y->to, 1, FRAME);
	canvas_line(canvas, x->from, y->from, x->from, y->to, 1, FRAME);
	canvas_line(canvas, x->to, y->from, x->to, y->to, 1, FRAME);
}

static void lay_out(const struct plot_place *place, struct axis *x, struct axis *y)
{
	x->from = place->left + ROOM_LEFT;
	x->to = place->right - ROOM_RIGHT;
	y->from = place->bottom - ROOM_BOTTOM;
	y->to = place->top + ROOM_TOP;
}

/* Lowest and highest of some values. */
static void range(const double *value, size_t count, double *min, double *max)
{
	size_t i;

	*min = value[0];
	*max = value[0];
	for (i = 1; i < count; i++) {
		if (value[i] < *min)
			*min = value[i];
		if (value[i] > *max)
			*max = value[i];
	}
}

static double clamp(const struct axis *axis, double value)
{
	return value < axis->min ? axis->min : value > axis->max ? axis->max : value;
}

/*
 * Value i is at @first + i * @step. Where several of them share a column of the picture,
 * all between their lowest and highest is drawn: no peak is lost.
 */
static void draw_curve(struct canvas *canvas, const struct axis *x, const struct axis *y,
		       const double *value, size_t count, double step)
{
	double column = 1.0 / CANVAS_SCALE, last_x = 0, last_y = 0, at, min, max;
	size_t i = 0, n;

	while (i < count) {
		at = place_on(x, i * step);
		for (n = 1; i + n < count && place_on(x, (i + n) * step) < at + column; n++)
			;
		range(value + i, n, &min, &max);
		if (i)
			canvas_line(canvas, last_x, last_y, at,
				    place_on(y, clamp(y, value[i])), LINE, CURVE);
		if (n > 1)
			canvas_line(canvas, at, place_on(y, clamp(y, min)), at,
				    place_on(y, clamp(y, max)), LINE, CURVE);
		last_x = at;
		last_y = place_on(y, clamp(y, value[i + n - 1]));
		i += n;
	}
}

void plot_waveform(struct canvas *canvas, const struct plot_place *place,
		   const struct samples *samples)
{
	struct axis x = { .max = (samples->count > 1 ? samples->count - 1 : 1) / samples->rate };
	struct axis y;
	double margin;

	range(samples->value, samples->count, &y.min, &y.max);
	margin = y.max > y.min ? (y.max - y.min) * 0.05 : 1;
	y.min -= margin;
	y.max += margin;
	lay_out(place, &x, &y);
	canvas_text(canvas, x.from, place->top + 24, TEXT_LEFT, place->title, TEXT);
	draw_x(canvas, &x, &y, choose(times, x.max), "time");
	draw_y(canvas, &x, &y, "value");
	draw_curve(canvas, &x, &y, samples->value, samples->count, 1 / samples->rate);
	draw_frame(canvas, &x, &y);
}

/* Next to the peak, on the side where there is room. */
static void mark_peak(struct canvas *canvas, const struct axis *x, const struct axis *y,
		      const struct spectrum *spectrum)
{
	const struct unit *unit = choose(frequencies, spectrum->peak);
	double at = place_on(x, spectrum->peak);
	double top = place_on(y, clamp(y, spectrum->peak_level));
	bool left = at > (x->from + x->to) / 2;
	char text[64];

	snprintf(text, sizeof(text), "%.6g %s, %.2f dBFS", spectrum->peak / unit->scale,
		 unit->name, spectrum->peak_level);
	canvas_line(canvas, at - 5, top - 5, at + 5, top + 5, 2, MARK);
	canvas_line(canvas, at - 5, top + 5, at + 5, top - 5, 2, MARK);
	canvas_text(canvas, at + (left ? -12 : 12), top, left ? TEXT_RIGHT : TEXT_LEFT, text, MARK);
}

void plot_spectrum(struct canvas *canvas, const struct plot_place *place,
		   const struct spectrum *spectrum)
{
	struct axis x = { .max = (spectrum->count - 1) * spectrum->step };
	struct axis y = { .max = 10 };
	double max;

	/* what remains of the mean at 0 Hz tells nothing */
	range(spectrum->level + 1, spectrum->count - 1, &y.min, &max);
	y.min = fmax(fmin(floor(y.min / 20) * 20, -40), -160);
	lay_out(place, &x, &y);
	canvas_text(canvas, x.from, place->top + 24, TEXT_LEFT, place->title, TEXT);
	draw_x(canvas, &x, &y, choose(frequencies, x.max), "frequency");
	draw_y(canvas, &x, &y, "level (dBFS)");
	draw_curve(canvas, &x, &y, spectrum->level, spectrum->count, spectrum->step);
	mark_peak(canvas, &x, &y, spectrum);
	draw_frame(canvas, &x, &y);
}
