/* SPDX-License-Identifier: GPL-2.0 */
/* daq doctor: what the checks of one card know of it. */
#ifndef DAQ_TOOL_DOCTOR_CARD_H
#define DAQ_TOOL_DOCTOR_CARD_H

#include "doctor.h"
#include "interface.h"
#include "owners.h"

struct patient {
	struct doctor *doctor;
	const char *name;
	unsigned int ifindex;
	unsigned int channels;
	enum daq_personality personality;
	struct daq_format format[DAQ_MAX_CHANNELS];
	struct owners owners;
	struct card_counts counts;
	double rate;		/* of all channels, bytes per second */
};

/* The way between card and memory: its speed, interrupts, distance to processors. */
void check_bus(struct patient *patient);

#endif /* DAQ_TOOL_DOCTOR_CARD_H */
