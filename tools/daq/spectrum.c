// SPDX-License-Identifier: GPL-2.0
/* The spectrum of samples: windowed, overlapping blocks, whose power is averaged. */
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include "plot.h"

#define MAX_BLOCK	16384
/* What nothing at all is shown as. */
#define LOWEST_DB	-200.0

/* In place; @count is a power of two. */
static void transform(double complex *x, size_t count)
{
	size_t i, j, bit, size, k;

	for (i = 1, j = 0; i < count; i++) {
		for (bit = count / 2; j & bit; bit /= 2)
			j ^= bit;
		j ^= bit;
		if (i < j) {
			double complex swap = x[i];

			x[i] = x[j];
			x[j] = swap;
		}
	}
	for (size = 2; size <= count; size *= 2) {
		double complex turn = cexp(-2 * M_PI * I / size);

		for (i = 0; i < count; i += size) {
			double complex factor = 1;

			for (k = i; k < i + size / 2; k++) {
				double complex odd = factor * x[k + size / 2];

				x[k + size / 2] = x[k] - odd;
				x[k] += odd;
				factor *= turn;
			}
		}
	}
}

static double mean_of(const struct samples *samples)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < samples->count; i++)
		sum += samples->value[i];
	return sum / samples->count;
}

/* Adds the power of the block that begins at @from. */
static void add_block(const struct samples *samples, double mean, size_t from,
		      double complex *x, struct spectrum *spectrum)
{
	size_t size = 2 * (spectrum->count - 1), i;

	for (i = 0; i < size; i++)
		x[i] = (samples->value[from + i] - mean) * (0.5 - 0.5 * cos(2 * M_PI * i / size));
	transform(x, size);
	for (i = 0; i < spectrum->count; i++)
		spectrum->level[i] += creal(x[i]) * creal(x[i]) + cimag(x[i]) * cimag(x[i]);
}

/* The highest point that is higher than its neighbours. */
static size_t highest(const struct spectrum *spectrum)
{
	const double *level = spectrum->level;
	size_t top = 0, i;

	for (i = 1; i + 1 < spectrum->count; i++)
		if (level[i] >= level[i - 1] && level[i] > level[i + 1] &&
		    (!top || level[i] > level[top]))
			top = i;
	return top ? top : 1;
}

/* A parabola through that and its neighbours tells where the peak is. */
static void find_peak(struct spectrum *spectrum)
{
	size_t top = highest(spectrum);
	const double *level = spectrum->level + top;
	double slope = level[-1] - level[1];
	double bend = level[-1] - 2 * level[0] + level[1];
	double shift = bend < 0 ? fmax(fmin(slope / (2 * bend), 0.5), -0.5) : 0;

	spectrum->peak = (top + shift) * spectrum->step;
	/* hundredths, and none of them is "-0.00" */
	spectrum->peak_level = round(100 * (level[0] - shift * slope / 4)) / 100 + 0.0;
}

bool spectrum_of(const struct samples *samples, struct spectrum *spectrum)
{
	double mean, scale, power;
	size_t size = SPECTRUM_MIN, blocks = 0, from, i;
	double complex *x;

	if (samples->count < SPECTRUM_MIN)
		return false;
	while (size < MAX_BLOCK && 2 * size <= samples->count)
		size *= 2;
	spectrum->count = size / 2 + 1;
	spectrum->step = samples->rate / size;
	spectrum->level = calloc(spectrum->count, sizeof(*spectrum->level));
	x = calloc(size, sizeof(*x));
	if (!spectrum->level || !x) {
		free(x);
		spectrum_free(spectrum);
		return false;
	}
	mean = mean_of(samples);
	for (from = 0; from + size <= samples->count; from += size / 2, blocks++)
		add_block(samples, mean, from, x, spectrum);
	free(x);

	/* the window halves a sine, whose other half is at its negative frequency */
	scale = 4 / (size * samples->full_scale);
	for (i = 0; i < spectrum->count; i++) {
		power = spectrum->level[i] / blocks * scale * scale;
		spectrum->level[i] = power > 0 ? fmax(10 * log10(power), LOWEST_DB) : LOWEST_DB;
	}
	find_peak(spectrum);
	return true;
}

void spectrum_free(struct spectrum *spectrum)
{
	free(spectrum->level);
	spectrum->level = NULL;
}
