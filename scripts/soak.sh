#!/usr/bin/env bash
# Trains and evaluates in one process for an hour and 100 000 steps, opens and closes 10 000 devices, and trains as on 64 processors and on one: memory and
# threads stay, and so do the bits. Needs a build; ends with "soak: ..." and exit code 1 if anything failed.
#   scripts/soak.sh            all of it: an hour and some minutes
#   scripts/soak.sh --short    the same in half a minute
set -uo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 VAE_DATA=$PWD/datasets
case ${1-} in
  "") options=() ;;
  --short) options=(--seconds 10 --steps 2000 --backends 300 --slack 8) ;;
  *) echo "soak.sh: unknown option $1; expected --short or nothing" >&2; exit 2 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

dotnet run -c Release --no-build --project Bench -- soak "${options[@]}" || failed=$((failed + 1))

for processors in 1 2 64; do
  DOTNET_PROCESSOR_COUNT=$processors dotnet Cli/bin/Release/net10.0/vae.dll train --limit 400 --epochs 2 --network mlp:32 --latents 4 --report false --plain --device cpu \
    --out "$work/$processors" >"$work/log" 2>&1 || { failed=$((failed + 1)); echo "FAIL  training as on $processors processors"; tail -n 5 "$work/log"; }
done
for processors in 1 64; do
  if cmp -s "$work/2/model.safetensors" "$work/$processors/model.safetensors"; then
    echo "ok    a training as on $processors processors has the bits of one on 2"
  else
    failed=$((failed + 1))
    echo "FAIL  a training as on $processors processors differs from one on 2"
  fi
done
echo "soak: $failed failed"
[ "$failed" -eq 0 ]
