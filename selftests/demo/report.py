#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
#
# usage: report.py FOLDER
#
# Part of the demonstration: compares what came out of the card (FOLDER/output)
# with what went in (FOLDER/input) and prints a table.  Fails unless every
# channel is complete, identical and was carried without a copy.

import hashlib
import json
import sys
from pathlib import Path

COLUMNS = "{:>2}  {:<20} {:>6} {:>11} {:>6} {:>8} {:>5} {:>9}  {:<12} {}"


def sha256(path):
    """A missing file is not equal to any."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def read_list(folder):
    lines = (folder / "input/list").read_text().splitlines()
    return [line.split("\t") for line in lines]


def channels_of(path):
    data = json.loads(path.read_text())
    return {channel["channel"]: channel for channel in data["channels"]}


def read_counters(path):
    """ethtool -S as {channel: {counter: value}}."""
    counters = {}
    for line in path.read_text().splitlines():
        name, _, value = line.strip().partition(": ")
        if name.startswith("ch") and value.isdigit():
            channel, _, counter = name[2:].partition("_")
            counters.setdefault(int(channel), {})[counter] = int(value)
    return counters


def row(channel, what, captured, zero_copy, same, digest):
    frames = captured["frames"]
    lost = captured["lost_segments"] + captured["lost_frames"]
    ok = same and zero_copy and not lost and frames > 0
    print(COLUMNS.format(
        channel, what, frames, captured["bytes"],
        f"{captured['bytes_per_second'] / 1e6:.2f}",
        f"{captured['wakeups'] / max(frames, 1):.2f}",
        lost, "yes" if zero_copy else "no", digest[:12] if digest else "no file",
        "OK" if ok else "FAILED" if same else "DIFFERS"))
    return ok


def table(folder):
    captured = channels_of(folder / "output/capture.json")
    playing = folder / "output/play.json"
    played = channels_of(playing) if playing.exists() else None
    recordings = read_list(folder)
    good = 0

    print(COLUMNS.format("CH", "WHAT", "FRAMES", "BYTES", "MB/S", "WAKES/FR",
                         "LOST", "ZERO-COPY", "SHA-256", "RESULT"))
    for channel, (_, name, what) in enumerate(recordings):
        digest = sha256(folder / "output" / name)
        same = digest is not None and digest == sha256(folder / "input" / name)
        zero_copy = captured[channel]["zero_copy"]
        if played:
            zero_copy &= played[channel + len(recordings)]["zero_copy"]
        good += row(channel, what, captured[channel], zero_copy, same, digest)
    return good == len(recordings)


def conservation(folder):
    """Every segment that the card produced must have ended somewhere."""
    produced = delivered = dropped = 0
    for counter in read_counters(folder / "output/ethtool-S.txt").values():
        produced += counter["produced"]
        delivered += counter["socket"] + counter["stack"] + counter["xdp_tx"]
        dropped += sum(value for name, value in counter.items()
                       if name.startswith("drop_"))
    ok = produced == delivered + dropped
    print(f"segments: {produced} produced = {delivered} delivered + "
          f"{dropped} dropped: {'yes' if ok else 'NO'}")
    return ok and dropped == 0


def main():
    folder = Path(sys.argv[1])
    good = table(folder)
    accounted = conservation(folder)
    return 0 if good and accounted else 1


if __name__ == "__main__":
    sys.exit(main())
