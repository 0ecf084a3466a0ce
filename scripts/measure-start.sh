#!/bin/bash
# How long it takes from the start of a process to the first encoding of a stored run, with the code compiled ahead (ReadyToRun).
#   scripts/measure-start.sh RUN [TIMES]
# Prints the median and the least of TIMES (default 20) starts of examples/embedded-encoder.cs, by the clock around the whole process.
set -euo pipefail
run=$(realpath "$1")
times=${2:-20}
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
dotnet publish examples/embedded-encoder.cs -c Release -r linux-x64 --no-self-contained -o "$out" --nologo -v q -p:PublishReadyToRun=true -p:PublishAot=false
program=$(ls "$out"/*embedded-encoder*.dll | head -n 1)
dotnet "$program" "$run"
for ((i = 0; i < times; i++)); do
  start=$(date +%s%N)
  dotnet "$program" "$run" >/dev/null
  echo $((($(date +%s%N) - start) / 1000000))
done | sort -n | awk '{ ms[NR] = $1 } END { print "from start to end, ms: median " ms[int((NR + 1) / 2)] ", least " ms[1] ", of " NR }'
