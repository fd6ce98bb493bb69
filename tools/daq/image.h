/* SPDX-License-Identifier: GPL-2.0 */
/* Pictures of video frames, and PNG files. */
#ifndef DAQ_TOOL_IMAGE_H
#define DAQ_TOOL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How video lines are made of bytes. */
enum pixel { PIXEL_YUYV, PIXEL_GREY8, PIXEL_GREY16 };

bool parse_pixel(const char *text, enum pixel *pixel);

struct image {
	unsigned int width;
	unsigned int height;
	bool grey;
	unsigned int bits;	/* 8 or 16; of 16 the high byte comes first */
	uint8_t *pixels;
};

/* Whole lines only. Return: an exit code. */
int image_of_video(struct image *image, enum pixel pixel, unsigned int line_bytes,
		   const uint8_t *data, size_t len);
void image_free(struct image *image);

/* What a PNG file says about its picture. */
struct image_note {
	const char *key;
	const char *text;
};

/* @file: - is standard output. Return: an exit code. */
int image_write(const struct image *image, const char *file, const struct image_note *notes,
		unsigned int count);

#endif /* DAQ_TOOL_IMAGE_H */
