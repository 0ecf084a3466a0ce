#!/bin/bash
# Runs the README's "Two minutes with the tool" from the clone and prints what each step took.
# On an idle machine the sum is to be at most 120 s.
#   scripts/tour.sh [--keep]    --keep leaves the runs where they are and says where
# Building comes first and does not count. `vae explore` waits for a browser and is left out; pairs.csv is made here.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
dotnet build Cli -c Release --nologo -v q || exit 1
work=$(mktemp -d)
[ "${1:-}" = --keep ] && echo "runs are in $work" || trap 'rm -rf "$work"' EXIT
vae() { dotnet "$root/Cli/bin/Release/net10.0/vae.dll" "$@"; }
cd "$work"
ln -s "$root/datasets" datasets
awk 'BEGIN { srand(1); print "x,y"; for (i = 0; i < 2000; i++) { x = rand(); print x "," x + rand() / 4 } }' >pairs.csv

total=0 failed=0
while IFS= read -r line; do
  command=$(sed 's/ *#.*//' <<<"$line")
  case $command in "vae explore"*) continue ;; esac
  start=$(date +%s%N)
  eval "$command" >log 2>&1 </dev/null
  status=$?
  ms=$((($(date +%s%N) - start) / 1000000))
  total=$((total + ms))
  printf '%7d.%d s  %s%s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$command" "$([ $status -eq 0 ] || echo "   FAILED with $status")"
  [ $status -eq 0 ] || { failed=$((failed + 1)); tail -n 3 log; }
done < <(sed -n '/^## Two minutes/,/^## /s/^    \(vae .*\)/\1/p' "$root/README.md")
printf '%7d.%d s  in all; the load of the machine is %s\n' $((total / 1000)) $((total % 1000 / 100)) "$(cut -d ' ' -f 1 /proc/loadavg)"
exit $failed
