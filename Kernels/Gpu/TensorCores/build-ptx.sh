#!/bin/bash
# CUDA C++ to PTX with clang and no CUDA SDK: src/*.cu -> ptx/*.ptx.gz, then checks what came out and writes ptx/MANIFEST.
#   build-ptx.sh          writes ptx/
#   build-ptx.sh --check  compiles into a temporary folder and fails when that differs from ptx/
# Where NVIDIA's assembler is at hand (scripts/get-ptxas.sh), scripts/assemble-ptx.sh judges the same files.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C
compiler=${CLANG:-clang++-19}
# Without a PTX version of its own clang picks one that is too old for asynchronous copies.
flags=(-x cuda --cuda-device-only -nocudainc -nocudalib -nostdinc++ -nostdlibinc -std=c++17 -O3 -ffp-contract=off -fno-exceptions -fno-rtti
  -Wall -Wno-unused-function -Wno-unknown-cuda-version -Werror --cuda-gpu-arch=sm_80 --cuda-feature=+ptx71)
most_bytes=$((1 << 20))

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
jobs=()
for source in src/*.cu; do
  "$compiler" "${flags[@]}" -S -o - "$source" | grep -vE '^[[:space:]]*//|^[[:space:]]*$' >"$made/$(basename "$source" .cu).ptx" &
  jobs+=($!)
  if ((${#jobs[@]} >= $(nproc))); then wait "${jobs[0]}"; jobs=("${jobs[@]:1}"); fi
done
for job in "${jobs[@]}"; do wait "$job"; done

# No calls (a function of the C library that slipped in), no local memory (spilled or indexed registers), no double precision.
if grep -nE '\.extern \.func|^[[:space:]]*call|__local_depot|\.local |\.f64' "$made"/*.ptx; then
  echo "lint: calls, local memory or double precision" >&2
  exit 1
fi
{
  echo "compiler: $("$compiler" --version | head -1 | grep -oE 'clang version [0-9]+\.[0-9]+\.[0-9]+')"
  echo "flags: ${flags[*]}"
  sha256sum src/*.cu src/*.cuh
  (cd "$made" && sha256sum *.ptx | sed 's|  |  ptx/|')
} >"$made/MANIFEST"

if [[ ${1:-} == --check ]]; then
  kept=$(mktemp -d)
  trap 'rm -rf "$made" "$kept"' EXIT
  cp ptx/MANIFEST "$kept"
  for packed in ptx/*.ptx.gz; do gzip -dc "$packed" >"$kept/$(basename "$packed" .gz)"; done
  diff -rq "$made" "$kept" || { echo "ptx/ is not what src/ compiles to: run build-ptx.sh and commit the result" >&2; exit 1; }
else
  mkdir -p ptx
  rm -f ptx/*
  cp "$made/MANIFEST" ptx
  for ptx in "$made"/*.ptx; do gzip -9nc "$ptx" >"ptx/$(basename "$ptx").gz"; done
fi
bytes=$(cat ptx/* | wc -c)
((bytes <= most_bytes)) || { echo "lint: ptx/ has $bytes bytes, $most_bytes are allowed: fewer tiles in src/" >&2; exit 1; }
echo "$(cat "$made"/*.ptx | grep -c '\.entry') kernels, $bytes bytes: no calls, no local memory, no double precision"
