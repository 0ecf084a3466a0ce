#!/bin/bash
# One trimmed, self-contained file with the kernels inside: copy it to a Linux machine and run it; nothing but the NVIDIA driver is needed there for --device cuda.
#   scripts/publish-portable.sh [FOLDER]    default: artifacts/portable
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-artifacts/portable}
limit=$((30 * 1000 * 1000))
dotnet publish Cli -c Release -r linux-x64 --self-contained -o "$out" --nologo -v q \
  -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:PublishTrimmed=true -p:TrimMode=partial -p:InvariantGlobalization=true \
  -p:DebugType=none -p:PackAsTool=false -p:SuppressTrimAnalysisWarnings=true
size=$(stat -c %s "$out/vae")
if ((size > limit)); then
  echo "publish-portable: $out/vae has $size bytes, more than $limit" >&2
  exit 1
fi
# The kernels must have survived trimming: the emulator, where it is built, asks for every one of them through the managed backend.
emulator=Kernels/Cuda/emulator/build/libvaecuda.so
"$out/vae" doctor --device cpu --json >/dev/null
if [[ -e $emulator ]]; then VAE_CUDA_LIBRARY=$emulator "$out/vae" doctor --device cuda --json >/dev/null; fi
echo "$out/vae: $size bytes"
