/* SPDX-License-Identifier: GPL-2.0 */
/* Names of what the control device tells. */
#ifndef DAQ_CONTROL_H
#define DAQ_CONTROL_H

#include <daqring.h>

const char *state_name(enum daq_state state);
/* Of unknown ones "?". */
const char *event_name(uint32_t type);
const char *error_name(uint32_t error);
const char *reason_name(uint32_t reason);
/* All reasons of a mask to standard output, each behind @before. */
void print_reasons(uint32_t mask, const char *before);

#endif /* DAQ_CONTROL_H */
