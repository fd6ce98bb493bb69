// SPDX-License-Identifier: GPL-2.0
/* A small picture to draw plots on: boxes, lines, text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "canvas.h"
#include "font.h"

/* A dot of a letter, in pixels of the finished picture. */
#define DOT		2
#define LETTER_GAP	DOT

bool canvas_init(struct canvas *canvas, unsigned int width, unsigned int height, colour paper)
{
	canvas->width = width;
	canvas->height = height;
	canvas->pixels = malloc(3ul * width * height * CANVAS_SCALE * CANVAS_SCALE);
	if (!canvas->pixels)
		return false;
	canvas_box(canvas, 0, 0, width, height, paper);
	return true;
}

void canvas_free(struct canvas *canvas)
{
	free(canvas->pixels);
	canvas->pixels = NULL;
}

static void dot(struct canvas *canvas, long x, long y, colour ink)
{
	uint8_t *pixel;

	if (x < 0 || y < 0 || x >= (long)canvas->width * CANVAS_SCALE ||
	    y >= (long)canvas->height * CANVAS_SCALE)
		return;
	pixel = canvas->pixels + 3 * (y * (long)canvas->width * CANVAS_SCALE + x);
	pixel[0] = ink >> 16;
	pixel[1] = ink >> 8;
	pixel[2] = ink;
}

static void fill(struct canvas *canvas, long left, long top, long right, long bottom, colour ink)
{
	long x, y;

	for (y = top; y < bottom; y++)
		for (x = left; x < right; x++)
			dot(canvas, x, y, ink);
}

static long scaled(double value)
{
	return lround(value * CANVAS_SCALE);
}

void canvas_box(struct canvas *canvas, double left, double top, double right, double bottom,
		colour ink)
{
	fill(canvas, scaled(left), scaled(top), scaled(right), scaled(bottom), ink);
}

void canvas_line(struct canvas *canvas, double x0, double y0, double x1, double y1,
		 double thickness, colour ink)
{
	double length = fmax(fabs(x1 - x0), fabs(y1 - y0)) * CANVAS_SCALE;
	long brush = scaled(thickness) > 1 ? scaled(thickness) : 1;
	long steps = ceil(length), i, x, y;
	double t;

	for (i = 0; i <= steps; i++) {
		t = steps ? (double)i / steps : 0;
		x = scaled(x0 + t * (x1 - x0)) - brush / 2;
		y = scaled(y0 + t * (y1 - y0)) - brush / 2;
		fill(canvas, x, y, x + brush, y + brush, ink);
	}
}

/* Letters as bit maps of which each step doubles the size. */
#define STEPS		2
#define LARGEST		(FONT_HEIGHT << STEPS)

_Static_assert(1 << STEPS == DOT * CANVAS_SCALE, "letters get as large as they are drawn");

struct bitmap {
	int width;
	int height;
	bool set[LARGEST][LARGEST];
};

static bool at(const struct bitmap *bitmap, int x, int y)
{
	return x >= 0 && y >= 0 && x < bitmap->width && y < bitmap->height && bitmap->set[y][x];
}

/*
 * Twice as large, with corners filled or cut where an edge goes on diagonally: a quarter
 * of a dot follows its two outer neighbours if these are equal and the others differ.
 */
static void enlarge(struct bitmap *bitmap)
{
	struct bitmap old = *bitmap;
	int x, y, side_x, side_y;

	bitmap->width *= 2;
	bitmap->height *= 2;
	for (y = 0; y < bitmap->height; y++) {
		for (x = 0; x < bitmap->width; x++) {
			bool self = at(&old, x / 2, y / 2);
			bool beside, above;

			side_x = x % 2 ? 1 : -1;
			side_y = y % 2 ? 1 : -1;
			beside = at(&old, x / 2 + side_x, y / 2);
			above = at(&old, x / 2, y / 2 + side_y);
			if (beside == above && at(&old, x / 2 - side_x, y / 2) != beside &&
			    at(&old, x / 2, y / 2 - side_y) != beside)
				self = beside;
			bitmap->set[y][x] = self;
		}
	}
}

static const char *letter(char c)
{
	return c > 0 && font[(int)c] ? font[(int)c] : "";
}

/* Letters are as wide as they have dots. Return: the first column with one. */
static int measure(const char *rows, int *width)
{
	int first = FONT_WIDTH, last = -1, i;

	for (i = 0; rows[i]; i++) {
		if (rows[i] != '#')
			continue;
		if (i % FONT_WIDTH < first)
			first = i % FONT_WIDTH;
		if (i % FONT_WIDTH > last)
			last = i % FONT_WIDTH;
	}
	*width = last < 0 ? FONT_WIDTH - 2 : last - first + 1;
	return first;
}

double canvas_text_width(const char *text)
{
	double sum = 0;
	int width;

	for (; *text; text++) {
		measure(letter(*text), &width);
		sum += width * DOT + LETTER_GAP;
	}
	return sum > 0 ? sum - LETTER_GAP : 0;
}

/* Return: its width, in dots. */
static int draw_letter(struct canvas *canvas, double left, double top, char c, colour ink)
{
	const char *rows = letter(c);
	struct bitmap bitmap = { .height = FONT_HEIGHT };
	int first = measure(rows, &bitmap.width), width = bitmap.width;
	int i, x, y;

	for (i = 0; rows[i]; i++)
		if (rows[i] == '#')
			bitmap.set[i / FONT_WIDTH][i % FONT_WIDTH - first] = true;
	for (i = 0; i < STEPS; i++)
		enlarge(&bitmap);
	for (y = 0; y < bitmap.height; y++)
		for (x = 0; x < bitmap.width; x++)
			if (bitmap.set[y][x])
				dot(canvas, scaled(left) + x, scaled(top) + y, ink);
	return width;
}

void canvas_text(struct canvas *canvas, double x, double y, enum text_align align,
		 const char *text, colour ink)
{
	if (align == TEXT_CENTRE)
		x -= canvas_text_width(text) / 2;
	if (align == TEXT_RIGHT)
		x -= canvas_text_width(text);
	y -= FONT_CAPITAL * DOT / 2.0;
	for (; *text; text++)
		x += draw_letter(canvas, x, y, *text, ink) * DOT + LETTER_GAP;
}

void canvas_finish(const struct canvas *canvas, uint8_t *rgb)
{
	size_t line = 3ul * canvas->width * CANVAS_SCALE;
	unsigned int x, y, c, i, j, sum;

	for (y = 0; y < canvas->height; y++) {
		for (x = 0; x < canvas->width; x++) {
			const uint8_t *from = canvas->pixels + y * CANVAS_SCALE * line +
					      3ul * x * CANVAS_SCALE;

			for (c = 0; c < 3; c++) {
				sum = 0;
				for (j = 0; j < CANVAS_SCALE; j++)
					for (i = 0; i < CANVAS_SCALE; i++)
						sum += from[j * line + 3 * i + c];
				*rgb++ = sum / (CANVAS_SCALE * CANVAS_SCALE);
			}
		}
	}
}
