#!/usr/bin/env bash
# What data-parallel training costs on one machine: run it on two idle cores, with a built clone and openmpi-bin.
#   scripts/measure-scaling.sh [PAIRS]     default: 5 pairs
# Pairs of trainings in turn, MNIST's convolutional network at batch 512: one process of two threads, then two ranks of one thread.
# Prints the median images/s of each, the median of the pairs' ratios, and the share of a step that is spent in the all-reduce.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none VAE_DATA=$PWD/datasets
pairs=${1:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
vae=(dotnet "$PWD/Cli/bin/Release/net10.0/vae.dll" train beta-vae --network conv --batch 512 --limit 20480
  --device cpu --report false --plain)
ranks=(mpirun --bind-to none -n 2 "${vae[@]}" --threads 1 --distributed mpi)

# Images a second of the second epoch: the first compiles.
rate() { awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "images_per_second") column = i } END { print $column }' "$1/metrics.csv"; }
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

for ((i = 0; i < pairs; i++)); do
  "${vae[@]}" --epochs 2 --threads 2 --out "$work/one-$i" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  "${ranks[@]}" --epochs 2 --out "$work/two-$i" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  echo "$(rate "$work/one-$i") $(rate "$work/two-$i")" | tee -a "$work/pairs" |
    awk '{ printf "one process of two threads %8.1f images/s, two ranks of one thread %8.1f images/s, ratio %.3f\n", $1, $2, $2 / $1 }'
done
echo "medians: $(awk '{ print $1 }' "$work/pairs" | median) and $(awk '{ print $2 }' "$work/pairs" | median) images/s," \
  "ratio $(awk '{ print $2 / $1 }' "$work/pairs" | median)"
VAE_PROFILE=1 "${ranks[@]}" --epochs 4 --out "$work/profile" 2>&1 | grep '^note: all-reduce'
echo "the load of the machine is $(cut -d ' ' -f 1 /proc/loadavg)"
