/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of `daq capture` share. */
#ifndef DAQ_CAPTURE_H
#define DAQ_CAPTURE_H

#include "disk.h"
#include "writer.h"

/* One channel that is recorded. */
struct stream {
	struct capture *capture;
	struct daq_chan *chan;
	unsigned int channel;
	char *file;		/* NULL: count only */
	struct writer *writer;	/* several may share one */
	bool done;
	uint64_t frames;
	uint64_t bytes;		/* in those frames */
	uint64_t lost_frames;
	uint64_t damaged;
	uint64_t restarts;
	double first;		/* when frames came */
	double last;
	struct daq_chan_stats stats;	/* at the end */
};

/* What the whole process had used up at some time. */
struct usage {
	double time;
	uint64_t minor_faults;
	uint64_t major_faults;
	uint64_t syscalls;
	uint64_t frames;
	uint64_t contiguous;
	uint64_t wakeups;
	uint64_t copied;	/* payload bytes, by the kernel */
};

struct capture {
	/* as the user wants it */
	const char *ifname;
	const char *output;	/* folder or file */
	bool format_given;
	enum file_format format;
	const char *datatype;
	const char *json;
	const char *trigger_file;
	uint64_t channels;
	uint64_t frames;	/* per channel; 0: no limit */
	uint64_t size;		/* likewise */
	double duration;	/* 0: no limit */
	uint64_t buffer;
	enum daq_mode mode;
	bool until_last;
	bool allow_loss;
	bool no_direct;
	bool quiet;

	struct daq_card *card;
	struct daq_trigger *trigger;
	struct stream streams[DAQ_MAX_CHANNELS];
	unsigned int count;
	struct writer *writers[DAQ_MAX_CHANNELS];
	unsigned int writer_count;
	struct disk *disk;	/* NULL: nothing is written directly */
	unsigned int started;	/* streams that have received a frame */
	unsigned int running;
	struct usage steady;	/* when every channel had delivered a frame */
	struct usage end;
};

/* All return exit codes. */

/* capture_streams.c */
struct stream *capture_find(struct capture *capture, unsigned int channel);
struct stream *capture_add(struct capture *capture, unsigned int channel);
/* Opens the channels and, between them, the files; then all channels begin. */
int capture_open(struct capture *capture);
int capture_receive(struct capture *capture);

/* capture_files.c */
int capture_open_files(struct capture *capture);
/* Of files that are not closed yet. */
uint64_t capture_file_calls(const struct capture *capture);
uint64_t capture_copied(const struct capture *capture);
int capture_close_files(struct capture *capture);

/* capture_summary.c */
int capture_summarise(struct capture *capture);

#endif /* DAQ_CAPTURE_H */
