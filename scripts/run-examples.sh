#!/bin/bash
# Runs every example on small data; each ends with a check of its own.
#   scripts/run-examples.sh [FOLDER]    default: runs/examples
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/examples}
longest=80
mkdir -p "$out"
# The encoders are those of the first run.
for file in examples/first-vae.cs $(ls examples/*.cs | grep -v first-vae); do
  name=$(basename "$file" .cs)
  if (($(wc -l <"$file") >= longest)); then
    echo "run-examples: $file has $longest lines or more" >&2
    exit 1
  fi
  case $name in
    vae-from-scratch) arguments=(1) ;;
    first-vae | your-own-model | disentangle) arguments=("$out/$name") ;;
    your-own-images) arguments=("$out/pictures" "$out/$name") ;;
    embed-in-aspnet) arguments=(--try "$out/$name") ;;
    embedded-encoder) arguments=("$out/first-vae") ;;
    onnx-encoder)
      dotnet run -c Release --project Cli -- export "$out/first-vae" --format onnx --out "$out/models"
      arguments=("$out/models/encoder.onnx")
      ;;
    gpu-kernel) arguments=(--device simulator) ;;
    *) arguments=() ;;
  esac
  start=$SECONDS
  echo "== $name"
  dotnet run -c Release "$file" -- "${arguments[@]}"
  echo "== $name: $((SECONDS - start)) s, the compiler included"
  echo
done
