// SPDX-License-Identifier: GPL-2.0
#include "control.h"
#include "daq.h"

static const char *const states[] = {
	[DAQ_STATE_DOWN] = "down",
	[DAQ_STATE_UP] = "up",
	[DAQ_STATE_SUSPENDED] = "suspended",
	[DAQ_STATE_GONE] = "gone",
};

static const char *const events[] = {
	[DAQ_EV_REVOKED] = "revoked",
	[DAQ_EV_GRANTED] = "granted",
	[DAQ_EV_OVERRUN] = "overrun",
	[DAQ_EV_UNDERRUN] = "underrun",
	[DAQ_EV_ERROR] = "error",
	[DAQ_EV_SUSPENDED] = "suspended",
	[DAQ_EV_RESUMED] = "resumed",
	[DAQ_EV_REMOVED] = "removed",
};

/* As devlink health has them. */
static const char *const errors[] = {
	[DAQ_ERROR_TEST] = "test",
	[DAQ_ERROR_BAD_DESC] = "bad completion",
	[DAQ_ERROR_BAD_REPORT] = "bad report",
	[DAQ_ERROR_STOP] = "did not stop DMA",
	[DAQ_ERROR_MOVE] = "did not move a channel",
	[DAQ_ERROR_DMA] = "DMA refused by the bus",
	[DAQ_ERROR_GONE] = "gone",
};

static const char *const reasons[] = {
	[DAQ_REASON_NONE] = "nobody",
	[DAQ_REASON_ADMIN] = "administrator",
	[DAQ_REASON_CARD] = "card",
	[DAQ_REASON_RESET] = "reset",
	[DAQ_REASON_SUSPEND] = "sleep",
	[DAQ_REASON_REMOVED] = "removal",
};

static const char *name_of(const char *const *names, size_t count, uint32_t i)
{
	return i < count && names[i] ? names[i] : "?";
}

const char *state_name(enum daq_state state)
{
	return name_of(states, ARRAY_SIZE(states), state);
}

const char *event_name(uint32_t type)
{
	return name_of(events, ARRAY_SIZE(events), type);
}

const char *error_name(uint32_t error)
{
	return name_of(errors, ARRAY_SIZE(errors), error);
}

const char *reason_name(uint32_t reason)
{
	return name_of(reasons, ARRAY_SIZE(reasons), reason);
}

void print_reasons(uint32_t mask, const char *before)
{
	for (; mask; mask &= mask - 1)
		printf("%s%s", before, reason_name(__builtin_ctz(mask)));
}
