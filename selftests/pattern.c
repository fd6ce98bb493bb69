// SPDX-License-Identifier: GPL-2.0
/*
 * usage: pattern FILE [FRAME_BYTES [DAMAGED]]
 *
 * Succeeds if the file is not empty and holds the counter signal without a hole, and
 * from the start of a frame on if its size is given. So many words, but not the first
 * one, have to be damaged. Not a test, but used by some.
 */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	uint64_t word, first = 0, n, damaged = 0, wanted;
	FILE *file;

	if (argc < 2)
		return 2;
	wanted = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	file = fopen(argv[1], "r");
	if (!file) {
		perror(argv[1]);
		return 2;
	}
	for (n = 0; fread(&word, 1, 8, file) == 8; n++) {
		if (!n)
			first = le64toh(word);
		if (le64toh(word) != first + n && damaged++ >= wanted) {
			printf("# %s: word %ju is %#jx, not %#jx\n", argv[1], (uintmax_t)n,
			       (uintmax_t)le64toh(word), (uintmax_t)(first + n));
			return 1;
		}
	}
	if (damaged != wanted) {
		printf("# %s: %ju words are damaged, not %ju\n", argv[1], (uintmax_t)damaged,
		       (uintmax_t)wanted);
		return 1;
	}
	if (!n || (argc > 2 && first * 8 % atol(argv[2]))) {
		printf("# %s: starts at byte %ju of the signal\n", argv[1], (uintmax_t)first * 8);
		return 1;
	}
	return 0;
}
