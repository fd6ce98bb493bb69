// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include "json.h"

#define MAX_DEPTH 32

struct parser {
	const char *at;
	const char *end;
	unsigned int depth;
};

static struct json *parse_value(struct parser *parser);

static void skip_space(struct parser *parser)
{
	while (parser->at < parser->end && strchr(" \t\r\n", *parser->at) && *parser->at)
		parser->at++;
}

/* Takes @c if it is next. */
static bool take(struct parser *parser, char c)
{
	skip_space(parser);
	if (parser->at == parser->end || *parser->at != c)
		return false;
	parser->at++;
	return true;
}

static bool take_word(struct parser *parser, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(parser->end - parser->at) < len || memcmp(parser->at, word, len) != 0)
		return false;
	parser->at += len;
	return true;
}

/* A character by its number; only those of one byte are of use to us. */
static bool take_code(struct parser *parser, char *c)
{
	char digits[5] = "";
	char *end;

	if (parser->end - parser->at < 4)
		return false;
	memcpy(digits, parser->at, 4);
	*c = strtoul(digits, &end, 16);
	parser->at += 4;
	return !*end;
}

static bool take_escaped(struct parser *parser, char *c)
{
	static const char codes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *code;

	if (parser->at == parser->end)
		return false;
	if (*parser->at == 'u') {
		parser->at++;
		return take_code(parser, c);
	}
	code = strchr(codes, *parser->at++);
	if (!code || !*code)
		return false;
	*c = meanings[code - codes];
	return true;
}

/* Bytes before the quotation mark that ends a string, at least as many as it has. */
static size_t string_room(const struct parser *parser)
{
	const char *at = parser->at;

	while (at < parser->end && *at != '"')
		at += *at == '\\' ? 2 : 1;
	return at - parser->at;
}

/* What is between quotation marks; NULL: there is no such thing. */
static char *parse_string(struct parser *parser)
{
	char *text, *to;

	if (!take(parser, '"'))
		return NULL;
	text = malloc(string_room(parser) + 1);
	for (to = text; to && parser->at < parser->end; to++) {
		*to = *parser->at++;
		if (*to == '"') {
			*to = '\0';
			return text;
		}
		if (*to == '\\' && !take_escaped(parser, to))
			break;
	}
	free(text);
	return NULL;
}

static bool parse_number(struct parser *parser, struct json *json)
{
	const char *from = parser->at;
	char *end;

	while (parser->at < parser->end && strchr("+-.0123456789eE", *parser->at) && *parser->at)
		parser->at++;
	json->type = JSON_NUMBER;
	json->text = strndup(from, parser->at - from);
	if (!json->text)
		return false;
	strtod(json->text, &end);
	return end != json->text && !*end;
}

static bool parse_members(struct parser *parser, struct json *json, char close)
{
	struct json **link = &json->first;
	char *name;

	json->type = close == '}' ? JSON_OBJECT : JSON_ARRAY;
	if (take(parser, close))
		return true;
	do {
		name = close == '}' ? parse_string(parser) : NULL;
		if (close == '}' && (!name || !take(parser, ':'))) {
			free(name);
			return false;
		}
		*link = parse_value(parser);
		if (!*link) {
			free(name);
			return false;
		}
		(*link)->name = name;
		link = &(*link)->next;
	} while (take(parser, ','));
	return take(parser, close);
}

static bool parse_into(struct parser *parser, struct json *json)
{
	if (take(parser, '{'))
		return parse_members(parser, json, '}');
	if (take(parser, '['))
		return parse_members(parser, json, ']');
	if (parser->at < parser->end && *parser->at == '"') {
		json->type = JSON_STRING;
		json->text = parse_string(parser);
		return json->text;
	}
	if (take_word(parser, "null"))
		return true;
	json->truth = take_word(parser, "true");
	if (json->truth || take_word(parser, "false")) {
		json->type = JSON_BOOL;
		return true;
	}
	return parse_number(parser, json);
}

static struct json *parse_value(struct parser *parser)
{
	struct json *json = calloc(1, sizeof(*json));
	bool good;

	if (!json)
		return NULL;
	good = ++parser->depth <= MAX_DEPTH && parse_into(parser, json);
	parser->depth--;
	if (good)
		return json;
	json_free(json);
	return NULL;
}

struct json *json_parse(const char *text, size_t len)
{
	struct parser parser = { .at = text, .end = text + len };
	struct json *json = parse_value(&parser);

	skip_space(&parser);
	if (parser.at == parser.end)
		return json;
	json_free(json);
	return NULL;
}

void json_free(struct json *json)
{
	struct json *next;

	for (; json; json = next) {
		next = json->next;
		json_free(json->first);
		free(json->name);
		free(json->text);
		free(json);
	}
}

const struct json *json_member(const struct json *object, const char *name)
{
	const struct json *member;

	if (!object || object->type != JSON_OBJECT)
		return NULL;
	for (member = object->first; member; member = member->next)
		if (strcmp(member->name, name) == 0)
			return member;
	return NULL;
}

uint64_t json_uint(const struct json *object, const char *name, uint64_t missing)
{
	const struct json *member = json_member(object, name);
	double value;

	if (!member || member->type != JSON_NUMBER)
		return missing;
	if (!strpbrk(member->text, "-.eE"))
		return strtoull(member->text, NULL, 10);
	value = strtod(member->text, NULL);
	return value >= 0 && value < 0x1p64 ? (uint64_t)value : missing;
}

const char *json_text(const struct json *object, const char *name)
{
	const struct json *member = json_member(object, name);

	return member && member->type == JSON_STRING ? member->text : NULL;
}

bool json_is_true(const struct json *object, const char *name)
{
	const struct json *member = json_member(object, name);

	return member && member->type == JSON_BOOL && member->truth;
}
