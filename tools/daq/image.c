// SPDX-License-Identifier: GPL-2.0
/* Pictures of video frames, and PNG files. */
#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daq.h"
#include "image.h"

/* ITU-R BT.601: what red and blue contribute to the brightness. */
#define RED	0.299
#define GREEN	(1 - RED - BLUE)
#define BLUE	0.114

static const char *const pixel_names[] = {
	[PIXEL_YUYV] = "yuyv",
	[PIXEL_GREY8] = "grey8",
	[PIXEL_GREY16] = "grey16",
};

bool parse_pixel(const char *text, enum pixel *pixel)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pixel_names); i++) {
		if (strcmp(text, pixel_names[i]) != 0)
			continue;
		*pixel = i;
		return true;
	}
	return false;
}

static uint8_t clamp(double value)
{
	return value <= 0 ? 0 : value >= 255 ? 255 : lround(value);
}

/* Brightness is from 16 to 235, the differences of blue and red from 16 to 240. */
static void to_rgb(uint8_t y, uint8_t u, uint8_t v, uint8_t *rgb)
{
	double bright = (y - 16) * 255.0 / 219;
	double blue = (u - 128) * 255.0 / 112 * (1 - BLUE);
	double red = (v - 128) * 255.0 / 112 * (1 - RED);

	rgb[0] = clamp(bright + red);
	rgb[1] = clamp(bright - (RED * red + BLUE * blue) / GREEN);
	rgb[2] = clamp(bright + blue);
}

static void convert_yuyv(const uint8_t *data, size_t len, uint8_t *rgb)
{
	for (; len >= 4; len -= 4, data += 4, rgb += 6) {
		to_rgb(data[0], data[1], data[3], rgb);
		to_rgb(data[2], data[1], data[3], rgb + 3);
	}
}

static void swap_bytes(const uint8_t *data, size_t len, uint8_t *pixels)
{
	for (; len >= 2; len -= 2, data += 2, pixels += 2) {
		pixels[0] = data[1];
		pixels[1] = data[0];
	}
}

int image_of_video(struct image *image, enum pixel pixel, unsigned int line_bytes,
		   const uint8_t *data, size_t len)
{
	unsigned int bytes = pixel == PIXEL_GREY8 ? 1 : 2;
	unsigned int unit = pixel == PIXEL_YUYV ? 4 : bytes;
	size_t size;

	if (!line_bytes || line_bytes % unit)
		return failure("a line of %u bytes is no picture: give --line and --pixel",
			       line_bytes);
	if (len < line_bytes)
		return failure("the frame has %zu bytes, and a line %u", len, line_bytes);
	*image = (struct image){
		.width = line_bytes / bytes,
		.height = len / line_bytes,
		.grey = pixel != PIXEL_YUYV,
		.bits = pixel == PIXEL_GREY16 ? 16 : 8,
	};
	size = (size_t)image->height * line_bytes;
	image->pixels = malloc(pixel == PIXEL_YUYV ? size / 4 * 6 : size);
	if (!image->pixels)
		return failure("no memory for a picture of %u x %u", image->width, image->height);
	if (pixel == PIXEL_YUYV)
		convert_yuyv(data, size, image->pixels);
	else if (pixel == PIXEL_GREY16)
		swap_bytes(data, size, image->pixels);
	else
		memcpy(image->pixels, data, size);
	return EXIT_OK;
}

void image_free(struct image *image)
{
	free(image->pixels);
	image->pixels = NULL;
}

static void on_error(png_structp png, png_const_charp message)
{
	const char *file = png_get_error_ptr(png);

	failure("cannot write %s: %s", file, errno ? strerror(errno) : message);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

static void write_all(png_structp png, png_infop info, const struct image *image,
		      const struct image_note *notes, unsigned int count)
{
	size_t line = (size_t)image->width * (image->grey ? 1 : 3) * image->bits / 8;
	unsigned int i;

	png_set_IHDR(png, info, image->width, image->height, image->bits,
		     image->grey ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	for (i = 0; i < count; i++) {
		png_text text = {
			.compression = PNG_TEXT_COMPRESSION_NONE,
			.key = (char *)notes[i].key,
			.text = (char *)notes[i].text,
		};

		png_set_text(png, info, &text, 1);
	}
	png_write_info(png, info);
	for (i = 0; i < image->height; i++)
		png_write_row(png, image->pixels + i * line);
	png_write_end(png, info);
}

static int write_png(FILE *out, const char *file, const struct image *image,
		     const struct image_note *notes, unsigned int count)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, (void *)file, on_error,
						  on_warning);
	png_infop info = png ? png_create_info_struct(png) : NULL;

	if (!info) {
		png_destroy_write_struct(&png, NULL);
		return failure("no memory");
	}
	if (setjmp(png_jmpbuf(png))) {
		png_destroy_write_struct(&png, &info);
		return EXIT_FAILED;
	}
	errno = 0;
	png_init_io(png, out);
	write_all(png, info, image, notes, count);
	png_destroy_write_struct(&png, &info);
	return EXIT_OK;
}

int image_write(const struct image *image, const char *file, const struct image_note *notes,
		unsigned int count)
{
	bool to_stdout = strcmp(file, "-") == 0;
	FILE *out = to_stdout ? stdout : fopen(file, "we");
	int ret;

	if (!out)
		return failure("cannot open %s: %s", file, strerror(errno));
	ret = write_png(out, file, image, notes, count);
	if ((to_stdout ? fflush(out) : fclose(out)) == EOF && !ret)
		ret = failure("cannot write %s: %s", file, strerror(errno));
	return ret;
}
