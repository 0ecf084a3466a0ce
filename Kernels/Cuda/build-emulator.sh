#!/bin/bash
# Builds the host libraries that stand in for the NVIDIA driver and for NVRTC: Kernels/Cuda/emulator/build/libvaecuda.so, used with VAE_CUDA_LIBRARY=<that path>, and
# libvaenvrtc.so, used with VAE_NVRTC_LIBRARY.
# CXX and FLAGS change the compiler and add options; OUT changes the folder. Only files that are newer than the library's parts are compiled again.
set -euo pipefail
cd "$(dirname "$0")"
out=${OUT:-emulator/build}
compiler=${CXX:-g++}
mkdir -p "$out"
options=(-std=c++17 -O2 -g1 -march=x86-64-v3 -ffp-contract=off -fno-math-errno -fno-trapping-math -Wall -Wno-unused-function -Wno-unknown-pragmas -Wno-maybe-uninitialized -Wno-uninitialized -Wno-psabi -fPIC -DVAE_EMULATOR -Iemulator -Isrc)
if [[ $compiler == *g++* && $compiler != *clang* ]]; then options+=(-mtls-dialect=gnu2); fi
read -ra more <<<"${FLAGS:-}"
headers_changed() { [[ -n $(find src emulator build-emulator.sh \( -name '*.cuh' -o -name '*.h' -o -name '*.sh' \) -newer "$1" -print -quit) ]]; }
jobs=()
for source in emulator/scheduler.cpp emulator/copy_engine.cpp emulator/driver.cpp src/*.cu; do
  object="$out/$(basename "${source%.*}").o"
  if [[ ! -e $object || $source -nt $object ]] || headers_changed "$object"; then
    "$compiler" -x c++ "${options[@]}" "${more[@]}" -c "$source" -o "$object" &
    jobs+=($!)
    if ((${#jobs[@]} >= $(nproc))); then wait "${jobs[0]}"; jobs=("${jobs[@]:1}"); fi
  fi
done
for job in "${jobs[@]}"; do wait "$job"; done
"$compiler" -shared "${more[@]}" -o "$out/libvaecuda.so.new" "$out"/*.o -lpthread
mv "$out/libvaecuda.so.new" "$out/libvaecuda.so"
"$compiler" -std=c++17 -O1 -Wall -fPIC -shared -fvisibility=hidden "${more[@]}" emulator/nvrtc.cpp -o "$out/libvaenvrtc.so"
echo "$PWD/$out/libvaecuda.so"
