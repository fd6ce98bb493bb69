/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
#ifndef DAQRING_ERROR_H
#define DAQRING_ERROR_H

/* Keeps the text for daq_errmsg() and returns @err, a negative errno. */
__attribute__((format(printf, 2, 3)))
int daq_error(int err, const char *fmt, ...);

#endif /* DAQRING_ERROR_H */
