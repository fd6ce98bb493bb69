/* SPDX-License-Identifier: GPL-2.0 */
/* Reads JSON texts, such as this command writes itself. */
#ifndef DAQ_JSON_H
#define DAQ_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	char *name;		/* of a member, else NULL */
	char *text;		/* of a string or number */
	bool truth;
	struct json *first;	/* of an array's or object's members */
	struct json *next;	/* to it in its array or object */
};

/* One value and nothing else; NULL: it is not JSON, or there is no memory. */
struct json *json_parse(const char *text, size_t len);
void json_free(struct json *json);

/* All of these take NULL, for what is not there. */
const struct json *json_member(const struct json *object, const char *name);
/* A whole number; @missing when there is none. */
uint64_t json_uint(const struct json *object, const char *name, uint64_t missing);
const char *json_text(const struct json *object, const char *name);
bool json_is_true(const struct json *object, const char *name);

#endif /* DAQ_JSON_H */
