#!/bin/bash
# What NVIDIA's assembler says of every kernel in a folder of *.ptx or *.ptx.gz files:
#   scripts/assemble-ptx.sh [--spills BYTES] [--registers N] FOLDER [ARCHITECTURE...]     default: sm_75 sm_80 sm_90
# Prints a table: kernel, architecture, registers, bytes of stack, of spills, of static shared memory. A file is assembled for its own
# .target and what is newer. Exit 1: a file was not accepted, or a kernel spills more than BYTES (0) or takes more than N (255) registers.
# Exit 77: there is no assembler to be had (scripts/get-ptxas.sh says why).
set -euo pipefail
spills=0 registers=255
while [[ ${1:-} == --* ]]; do
  case $1 in
    --spills) spills=$2 ;;
    --registers) registers=$2 ;;
    *) echo "assemble-ptx: unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
[[ $# -gt 0 && -d $1 ]] || { echo "usage: assemble-ptx.sh [--spills BYTES] [--registers N] FOLDER [ARCHITECTURE...]" >&2; exit 2; }
folder=$1
shift
architectures=("$@")
((${#architectures[@]})) || architectures=(sm_75 sm_80 sm_90)
ptxas=$("$(dirname "$0")/get-ptxas.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 files=0
printf '%-44s %-6s %9s %6s %6s %7s\n' kernel arch registers stack spills shared
shopt -s nullglob
for file in "$folder"/*.ptx "$folder"/*.ptx.gz; do
  files=$((files + 1))
  if [[ $file == *.gz ]]; then gzip -dc "$file" >"$work/kernels.ptx"; else cp "$file" "$work/kernels.ptx"; fi
  target=$(sed -n 's/^\.target sm_\([0-9]*\).*/\1/p' "$work/kernels.ptx")
  for architecture in "${architectures[@]}"; do
    [[ ${architecture#sm_} -ge ${target:-0} ]] || continue
    if ! "$ptxas" -v -arch="$architecture" -o "$work/out" "$work/kernels.ptx" >"$work/log" 2>&1; then
      echo "assemble-ptx: $file is not accepted for $architecture:" >&2
      grep -vE 'ptxas info' "$work/log" | head -n 20 >&2
      failed=1
      continue
    fi
    awk -v architecture="$architecture" -v spills="$spills" -v registers="$registers" '
      /Compiling entry function/ { split($0, part, "\047"); name = part[2] }
      /bytes stack frame/ { stack = $1; spilt = $5 + $9 }
      /Used [0-9]+ registers/ {
        used = $0; sub(/.*Used /, "", used); sub(/ .*/, "", used); used += 0
        shared = 0
        if (match($0, /[0-9]+ bytes smem/)) { shared = substr($0, RSTART, RLENGTH); sub(/ .*/, "", shared) }
        printf "%-44s %-6s %9d %6d %6d %7d\n", name, architecture, used, stack, spilt, shared
        kernels++
        if (spilt > spills + 0 || used > registers + 0) { print "assemble-ptx: " name " takes too much" > "/dev/stderr"; bad = 1 }
      }
      END { exit bad || !kernels }' "$work/log" || failed=1
  done
done
((files)) || { echo "assemble-ptx: no .ptx files in $folder" >&2; exit 1; }
exit $failed
