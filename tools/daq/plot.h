/* SPDX-License-Identifier: GPL-2.0 */
/* Samples as pictures: over time, and their spectrum. */
#ifndef DAQ_TOOL_PLOT_H
#define DAQ_TOOL_PLOT_H

#include <stddef.h>
#include "canvas.h"

/* Where a plot is, with its labels, and what it is called. */
struct plot_place {
	double left;
	double top;
	double right;
	double bottom;
	const char *title;
};

/* Samples of a channel. */
struct samples {
	const double *value;
	size_t count;
	double rate;		/* per second */
	double full_scale;	/* the largest amplitude that its samples can have */
};

void plot_waveform(struct canvas *canvas, const struct plot_place *place,
		   const struct samples *samples);

struct spectrum {
	double *level;		/* dB of a sine of full scale, from 0 Hz to rate / 2 */
	size_t count;
	double step;		/* Hz */
	double peak;		/* Hz, between two points if need be */
	double peak_level;
};

/* Of at least SPECTRUM_MIN samples. false: no memory, or fewer. */
#define SPECTRUM_MIN	16
bool spectrum_of(const struct samples *samples, struct spectrum *spectrum);
void spectrum_free(struct spectrum *spectrum);

void plot_spectrum(struct canvas *canvas, const struct plot_place *place,
		   const struct spectrum *spectrum);

#endif /* DAQ_TOOL_PLOT_H */
