#!/bin/bash
# Builds the library that stands in for the NVIDIA driver, emulator/build/libvaecuda.so, used with VAE_CUDA_LIBRARY=<that path>, and for
# NCCL, with VAE_NCCL_LIBRARY.
# CXX and FLAGS change the compiler and add options; OUT changes the folder. Only what is older than its sources is compiled again.
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:-emulator/build}
compiler=${CXX:-g++}
mkdir -p "$out"
options=(-std=c++17 -O2 -g1 -march=x86-64-v3 -ffp-contract=off -fno-math-errno -fno-trapping-math -Wall -Wno-unused-function
  -Wno-unknown-pragmas -Wno-maybe-uninitialized -Wno-uninitialized -Wno-psabi -fPIC -DVAE_EMULATOR -Iemulator -Isrc)
if [[ $compiler == *g++* && $compiler != *clang* ]]; then options+=(-mtls-dialect=gnu2); fi
read -ra more <<<"${FLAGS:-}"
headers_changed() { [[ -n $(find src/*.cuh emulator/*.h build-emulator.sh -newer "$1" -print -quit) ]]; }
jobs=() objects=()
for source in emulator/scheduler.cpp emulator/driver.cpp emulator/nccl.cpp src/*.cu; do
  object="$out/$(basename "${source%.*}").o"
  objects+=("$object")
  if [[ ! -e $object || $source -nt $object ]] || headers_changed "$object"; then
    "$compiler" -x c++ "${options[@]}" "${more[@]}" -c "$source" -o "$object" &
    jobs+=($!)
    if ((${#jobs[@]} >= $(nproc))); then wait "${jobs[0]}"; jobs=("${jobs[@]:1}"); fi
  fi
done
for job in "${jobs[@]}"; do wait "$job"; done
"$compiler" -shared "${more[@]}" -o "$out/libvaecuda.so.new" "${objects[@]}" -lpthread
mv "$out/libvaecuda.so.new" "$out/libvaecuda.so"
echo "$PWD/$out/libvaecuda.so"
