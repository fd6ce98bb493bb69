// SPDX-License-Identifier: GPL-2.0
/* What is wrong on this machine, or could be better, and how to cure it. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "daq.h"
#include "doctor.h"
#include "interface.h"

static const char help[] =
	"Usage: daq doctor [IFNAME ...] [OPTIONS]\n"
	"\n"
	"Examines this machine and its cards, or those named, for what makes them lose data\n"
	"or time, and tells for each finding a command that cures it. Changes nothing. Some\n"
	"findings need root, and whoever runs it is taken for who will receive data.\n"
	"\n"
	"  -j, --json    print JSON\n"
	"  -q, --quiet   leave out what is fine\n"
	"\n"
	"Exit status: 0: no problem, though advice perhaps, 1: problems, 2: wrong usage\n"
	"\n"
	"Examples:\n"
	"  daq doctor\n"
	"  daq doctor daq0 --json | jq -r '.findings[] | select(.level == \"problem\").cure'\n";

static const char *const level_names[LEVELS] = {
	[LEVEL_OK] = "ok",
	[LEVEL_ADVICE] = "advice",
	[LEVEL_PROBLEM] = "PROBLEM",
};

void finding(struct doctor *doctor, enum level level, const char *about, const char *check,
	     const char *fmt, ...)
{
	struct finding *list = realloc(doctor->findings, (doctor->count + 1) * sizeof(*list));
	struct finding *new;
	va_list args;

	if (!list)
		exit(failure("no memory"));
	doctor->findings = list;
	new = &list[doctor->count++];
	*new = (struct finding){ .level = level, .check = check };
	snprintf(new->about, sizeof(new->about), "%s", about);
	va_start(args, fmt);
	vsnprintf(new->text, sizeof(new->text), fmt, args);
	va_end(args);
	doctor->found[level]++;
}

void cure(struct doctor *doctor, const char *fmt, ...)
{
	struct finding *last = &doctor->findings[doctor->count - 1];
	va_list args;

	va_start(args, fmt);
	vsnprintf(last->cure, sizeof(last->cure), fmt, args);
	va_end(args);
}

bool read_line(char *line, size_t size, const char *fmt, ...)
{
	char path[256];
	va_list args;
	FILE *file;
	bool read;

	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	file = fopen(path, "re");
	read = file && fgets(line, size, file);
	if (file)
		fclose(file);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read;
}

static int examine(struct daq_card *card, void *ctx)
{
	examine_card(ctx, card);
	return EXIT_OK;
}

static void examine_named(struct doctor *doctor, const char *name)
{
	struct daq_card *card;

	if (daq_card__open(name, NULL, &card) < 0) {
		finding(doctor, LEVEL_PROBLEM, name, "card", "%s", daq_errmsg());
		cure(doctor, "ip link add %s numrxqueues 8 numtxqueues 8 type daq", name);
		return;
	}
	examine_card(doctor, card);
	daq_card__close(card);
}

static int examine_all(struct doctor *doctor, char **names)
{
	int ret = EXIT_OK;

	examine_driver(doctor);
	if (!*names)
		ret = for_each_card(examine, doctor);
	for (; *names; names++)
		examine_named(doctor, *names);
	if (!doctor->cards && !doctor->found[LEVEL_PROBLEM]) {
		finding(doctor, LEVEL_PROBLEM, "machine", "card", "there is no card");
		cure(doctor, "ip link add daq0 numrxqueues 8 numtxqueues 8 type daq");
	}
	examine_machine(doctor);
	return ret;
}

static void print_text(const struct doctor *doctor, bool quiet)
{
	const struct finding *f = doctor->findings;
	unsigned int i;

	for (i = 0; i < doctor->count; i++, f++) {
		if (quiet && f->level == LEVEL_OK)
			continue;
		printf("%-8s %-8s %s\n", level_names[f->level], f->about, f->text);
		if (*f->cure)
			printf("%-17s  # %s\n", "", f->cure);
	}
	if (!quiet || doctor->found[LEVEL_PROBLEM])
		printf("%u problem%s, %u piece%s of advice\n", doctor->found[LEVEL_PROBLEM],
		       plural_s(doctor->found[LEVEL_PROBLEM]), doctor->found[LEVEL_ADVICE],
		       plural_s(doctor->found[LEVEL_ADVICE]));
}

static void print_json(const struct doctor *doctor)
{
	static const char *const names[LEVELS] = { "ok", "advice", "problem" };
	const struct finding *f = doctor->findings;
	unsigned int i;

	printf("{\"problems\": %u, \"advice\": %u, \"findings\": [", doctor->found[LEVEL_PROBLEM],
	       doctor->found[LEVEL_ADVICE]);
	for (i = 0; i < doctor->count; i++, f++) {
		printf("%s\n  {\"level\": \"%s\", \"check\": \"%s\", \"about\": ", i ? "," : "",
		       names[f->level], f->check);
		json_string(stdout, f->about);
		fputs(", \"text\": ", stdout);
		json_string(stdout, f->text);
		fputs(", \"cure\": ", stdout);
		if (*f->cure)
			json_string(stdout, f->cure);
		else
			fputs("null", stdout);
		putchar('}');
	}
	puts("\n]}");
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool json = false, quiet = false;
	struct doctor doctor = { 0 };
	int option, ret;

	while ((option = getopt_long(argc, argv, "jqh", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	ret = examine_all(&doctor, argv + optind);
	if (json)
		print_json(&doctor);
	else
		print_text(&doctor, quiet);
	free(doctor.findings);
	return ret || doctor.found[LEVEL_PROBLEM] ? EXIT_FAILED : EXIT_OK;
}
