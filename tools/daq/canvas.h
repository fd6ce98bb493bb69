/* SPDX-License-Identifier: GPL-2.0 */
/* A small picture to draw plots on. */
#ifndef DAQ_TOOL_CANVAS_H
#define DAQ_TOOL_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

/* 0xRRGGBB */
typedef uint32_t colour;

/* Everything is drawn larger and averaged at the end, which makes edges smooth. */
#define CANVAS_SCALE	2

struct canvas {
	unsigned int width;
	unsigned int height;
	uint8_t *pixels;	/* RGB, CANVAS_SCALE times as wide and high */
};

enum text_align { TEXT_LEFT, TEXT_CENTRE, TEXT_RIGHT };

/* false: no memory */
bool canvas_init(struct canvas *canvas, unsigned int width, unsigned int height, colour paper);
void canvas_free(struct canvas *canvas);

/* Places are those of pixels of the finished picture, from the upper left corner. */
void canvas_box(struct canvas *canvas, double left, double top, double right, double bottom,
		colour ink);
void canvas_line(struct canvas *canvas, double x0, double y0, double x1, double y1,
		 double thickness, colour ink);
/* @y is where the middle of the capital letters is. */
void canvas_text(struct canvas *canvas, double x, double y, enum text_align align,
		 const char *text, colour ink);
double canvas_text_width(const char *text);

/* RGB of the finished picture, which takes 3 * width * height bytes. */
void canvas_finish(const struct canvas *canvas, uint8_t *rgb);

#endif /* DAQ_TOOL_CANVAS_H */
