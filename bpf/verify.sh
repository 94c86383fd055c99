#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# verify.sh BPFTOOL OBJECT: loads the object, prints each program's verified instructions, leaves nothing behind.
set -eu
dir=$(mktemp -d)
trap 'umount "$dir" 2>/dev/null; rmdir "$dir"' EXIT
mount -t bpf bpf "$dir"
log=$("$1" -d prog loadall "$2" "$dir/programs" 2>&1) || {
	printf '%s\n' "$log" | tail -n 40 >&2
	exit 1
}
printf '%s\n' "$log" | awk '
	/prog .*BEGIN PROG LOAD LOG/ { split($0, part, "\047"); name = part[2] }
	/^processed / { printf "%-16s %6d instructions verified\n", name, $2 }'
