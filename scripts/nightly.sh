#!/usr/bin/env bash
# What takes too long for every commit: some hours on two cores. Needs what .ci/run installs; ends with "nightly: ..." and exit code 1 if anything failed.
#   scripts/nightly.sh [STEP...]     default: kernels arm64 trainings kills papers fuzz soak ranks
#     kernels     the tests of category Gpu with no compiled kernel kept from before, and every benchmark against its reference
#     arm64       scripts/check-arm64.sh --all: every test of the CPU's kernels on Arm64's instructions, under qemu
#     trainings   100 steps of each model's own network on MNIST, on the CPU and on OpenCL: the same losses but for rounding
#     kills       KILLS (200) trainings stopped at random moments by KILL, INT and TERM, each resumed; the run ends with the bytes of one that was left alone.
#                 In every other run each operation on a file takes 20 ms more, so that most moments fall into the writing of one
#     papers      vae reproduce --quick, every paper
#     fuzz        damaged files of every format for FUZZ_SECONDS (600) each
#     soak        scripts/soak.sh: an hour of training in one process
#     ranks       scripts/check-distributed.sh: any number of processes trains the bytes of one, every model on two
set -uo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 VAE_REQUIRE_OPENCL=1 VAE_DATA=$PWD/datasets
kills=${KILLS:-200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()
fail() { echo "FAIL  $*"; failed+=("$1"); }
vae() { dotnet Cli/bin/Release/net10.0/vae.dll "$@"; }

kernels() {
  export POCL_CACHE_DIR=$work/pocl
  mkdir -p "$POCL_CACHE_DIR"
  dotnet test Tests -c Release --no-build --nologo -- NUnit.Where="cat == Gpu" >"$work/log" 2>&1 || { fail kernels; grep -vE '^\s+at ' "$work/log" | tail -n 60; }
  grep -E '^(Passed|Failed)! ' "$work/log"
  dotnet run -c Release --no-build --project Bench -- check >"$work/log" 2>&1 || { fail kernels: benchmarks; grep -v '^ok' "$work/log"; }
  unset POCL_CACHE_DIR
}

arm64() {
  scripts/check-arm64.sh --all || fail arm64
}

trainings() {
  local model device
  for model in $(vae list models --json | python3 -c 'import json, sys; print(*(m["name"] for m in json.load(sys.stdin)["models"]))'); do
    for device in cpu opencl; do
      # A small rate: at the usual one, batch norm makes much of a difference in the last place.
      vae train "$model" --limit 400 --batch 20 --epochs 5 --lr 1e-4 --report false --plain --device $device --out "$work/$model-$device" >"$work/log" 2>&1 ||
        { fail "trainings: $model on $device"; tail -n 20 "$work/log"; }
    done
    python3 - "$model" "$work/$model-cpu/metrics.csv" "$work/$model-opencl/metrics.csv" <<'PYTHON' || fail "trainings: $model"
import csv, sys
model, (cpu, device) = sys.argv[1], ([float(row["train_loss"]) for row in csv.DictReader(open(file))] for file in sys.argv[2:])
# Networks that play against each other make much of small differences: of these the first 20 steps.
epochs = 1 if model in ("factor-vae", "wae-gan", "aae") else 5
worst = max(abs(d - c) / abs(c) for c, d in zip(cpu[:epochs], device[:epochs]))
print(f"trainings: {model}, loss {cpu[0]:.3f} to {cpu[-1]:.3f}, {20 * epochs} steps differ by {worst:.1e} at most")
sys.exit(len(cpu) != 5 or len(device) != 5 or not worst <= 1e-3)
PYTHON
  done
}

kills() {
  local killed=0 round=0 last signal process run status arguments hook ways=(KILL INT TERM)
  local options=(beta-vae --epochs 20 --limit 600 --batch 20 --latent 4 --network mlp:32 --report false --plain --device cpu)
  vae train "${options[@]}" --out "$work/whole" >"$work/log" 2>&1 || { fail kills: the run that is left alone; cat "$work/log"; return; }
  while ((killed < kills)); do
    run=$work/killed-$((++round)) hook=()
    ((round % 2)) || hook=("DOTNET_STARTUP_HOOKS=$PWD/Tests/bin/Release/net10.0/VaeFromScratch.Tests.dll" "VAE_TEST_FAULT=slow:1:$run")
    last=$((killed + 25 < kills ? killed + 25 : kills))
    # After 25 of them a run is left alone, so that it ends on a slow machine too.
    while true; do
      # Before its configuration is written there is nothing to resume, and the same command begins again.
      arguments=("${options[@]}")
      [ ! -e "$run/config.json" ] || arguments=(--resume --report false --plain)
      # A shell that is not interactive starts what runs beside it deaf to INT.
      env --default-signal=INT "${hook[@]}" dotnet Cli/bin/Release/net10.0/vae.dll train "${arguments[@]}" --out "$run" >"$work/log" 2>&1 &
      process=$! signal=${ways[RANDOM % 3]}
      if ((killed < last)); then
        sleep "$(printf '%d.%03d' $((RANDOM % 5)) $((RANDOM % 1000)))"
        kill -"$signal" "$process" 2>/dev/null
      fi
      wait "$process" 2>/dev/null
      status=$?
      [ $status -ne 0 ] || break
      case $status,$signal in
        137,KILL | 130,INT | 143,TERM) killed=$((killed + 1)) ;;
        *) fail "kills: a training that was sent $signal ended with $status"; cat "$work/log"; return ;;
      esac
    done
    cmp "$run/model.safetensors" "$work/whole/model.safetensors" || fail "kills: round $round"
    vae sample "$run" --images 4 --out "$work/sample.png" >"$work/log" 2>&1 || { fail "kills: the run of round $round cannot be read"; cat "$work/log"; }
    rm -rf "$run"
  done
  echo "kills: $killed in $round runs"
}

papers() {
  local paper
  for paper in influential-factors troubleshooting imae vmi exon; do
    vae reproduce "$paper" --quick --plain --out "$work/papers" >"$work/log" 2>&1 || { fail "papers: $paper"; tail -n 20 "$work/log"; }
    echo "papers: $paper"
  done
}

fuzz() {
  VAE_FUZZ_SECONDS=${FUZZ_SECONDS:-600} dotnet test Tests -c Release --no-build --nologo -- NUnit.Where="class =~ ReaderFuzzTests" >"$work/log" 2>&1 || { fail fuzz; grep -vE '^\s+at ' "$work/log" | tail -n 60; }
  grep -E '^(Passed|Failed)! ' "$work/log"
}

soak() {
  scripts/soak.sh || fail soak
}

ranks() {
  scripts/check-distributed.sh ranks models || fail ranks
}

dotnet build -c Release --nologo -v q || exit 1
for step in "${@:-kernels arm64 trainings kills papers fuzz soak ranks}"; do
  for name in $step; do
    case $name in
      kernels | arm64 | trainings | kills | papers | fuzz | soak | ranks) "$name" ;;
      *) echo "nightly.sh: unknown step $name; the first lines of this file name them" >&2; exit 2 ;;
    esac
  done
done
echo "nightly: ${#failed[@]} failed"
[ ${#failed[@]} -eq 0 ]
