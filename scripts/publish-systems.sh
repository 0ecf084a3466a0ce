#!/bin/bash
# Publishes the tool for systems other than this one, with MNIST, for an installed .NET runtime; built here, run there by nobody yet
# (Linux arm64: under qemu, scripts/check-arm64.sh).
#   scripts/publish-systems.sh [FOLDER]    default: artifacts/systems
# That nothing is called which a system lacks is the analyser's work (CA1416, an error in every build).
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-artifacts/systems}
for system in win-x64 osx-arm64 linux-arm64; do
  rm -rf "${out:?}/$system"
  dotnet publish Cli -c Release -r $system --self-contained false -o "$out/$system" --nologo -v q -p:PackAsTool=false -p:DebugType=none
  program=$out/$system/vae
  [ $system = win-x64 ] && program=$program.exe
  for file in "$program" "$out/$system/VaeFromScratch.Kernels.dll" "$out/$system/datasets/mnist/train-images-idx3-ubyte.gz"; do
    [ -s "$file" ] || { echo "publish-systems: no $file" >&2; exit 1; }
  done
  echo "$system: $(du -sb "$out/$system" | cut -f 1) bytes, MNIST included"
done
