#!/bin/bash
# One trimmed, self-contained file with the kernels inside: copy it to a Linux machine and run it. GPUs need their driver there and nothing else.
#   scripts/publish-portable.sh [FOLDER [DEVICE]]    default: artifacts/portable cpu
# It is tried from another folder: kernels on DEVICE, which may be opencl or any other that is here, and 100 steps of training there.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-artifacts/portable}
device=${2:-cpu}
limit=$((40 * 1000 * 1000))
# Assemblies that were compiled ahead under other settings would be taken over, and not fit together.
rm -rf Cli/obj/Release/net10.0/linux-x64/R2R
dotnet publish Cli -c Release -r linux-x64 --self-contained -o "$out" --nologo -v q \
  -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:PublishTrimmed=true -p:TrimMode=partial -p:InvariantGlobalization=true \
  -p:PublishReadyToRun=true -p:PublishReadyToRunComposite=false -p:DebugType=none -p:PackAsTool=false -p:SuppressTrimAnalysisWarnings=true
size=$(stat -c %s "$out/vae")
if ((size > limit)); then
  echo "publish-portable: $out/vae has $size bytes, more than $limit" >&2
  exit 1
fi
# What trimming took away is missed only by running.
vae=$(realpath "$out/vae")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$vae" doctor --device cpu --json >/dev/null
"$vae" doctor --ptx 'Unary<Tanh>' >/dev/null
# A small network: all of the 10 000 test images are measured, too.
"$vae" train --limit 2000 --batch 20 --epochs 1 --network mlp:32 --latents 4 --device "$device" --out run --plain
echo "$vae: $size bytes, computes on $device"
