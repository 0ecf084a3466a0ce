#!/usr/bin/env bash
# Ours against PyTorch on one NVIDIA GPU, alternated; prints one table and writes Bench/results/gpu-DATE.md.
#   --pairs N        runs of each side (default 3)
#   --vae FILE       the tool (default: artifacts/portable/vae, published first where it is missing)
#   --peer COMMAND   what prints PyTorch's side (default: python3 Bench/peers/torch_gpu.py)
#   --epochs N       of the whole training run of paper 1 that ours is timed for besides (default 200, its own; 0 leaves it out)
#   --out FILE       where the page goes
# Needs the driver, and Python with PyTorch 2.11 or a later 2.x. `vae doctor --selftest --device cuda` belongs before it: what is wrong is not worth timing.
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=3 vae=artifacts/portable/vae peer="python3 Bench/peers/torch_gpu.py" out=Bench/results/gpu-$(date -u +%Y-%m-%d).md epochs=200
while [ $# -gt 0 ]; do
  case $1 in
    --pairs) pairs=$2; shift ;;
    --vae) vae=$2; shift ;;
    --peer) peer=$2; shift ;;
    --out) out=$2; shift ;;
    --epochs) epochs=$2; shift ;;
    *) echo "compare-gpu.sh: unknown option $1; the first lines of this file name them" >&2; exit 2 ;;
  esac
  shift
done
[ -x "$vae" ] || scripts/publish-portable.sh "$(dirname "$vae")" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for ((pair = 1; pair <= pairs; pair++)); do
  echo "pair $pair" >&2
  # Who goes first changes, so that a drift of the clock rate favours nobody.
  for side in $( ((pair % 2)) && echo ours torch || echo torch ours); do
    if [ "$side" = ours ]; then "$vae" doctor --device cuda --bench --json >"$work/ours.$pair.json"; else $peer >"$work/torch.$pair.json"; fi
  done
done

if ((epochs > 0)); then
  "$vae" train beta-vae --epochs "$epochs" --device cuda --report false --plain --out "$work/run" >&2
fi

mkdir -p "$(dirname "$out")"
python3 - "$work" "$out" "$pairs" <<'PYTHON'
import csv, datetime, json, os, pathlib, statistics, sys

work, out, pairs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
ours = [json.loads((work / f"ours.{i}.json").read_text()) for i in range(1, pairs + 1)]
torch = [json.loads((work / f"torch.{i}.json").read_text()) for i in range(1, pairs + 1)]
# The targets are over compiled PyTorch (or one graph of its step, where that is faster), but where eager is named.
targets = {
    "mnist_conv_vae_batch_100": ">= 1.5, >= 5 eager", "mnist_conv_vae_batch_4096": ">= 1.0", "celeba_conv_vae_batch_256": ">= 1.0", "cifar_exon_batch_128": ">= 1.0",
    "information_4000000x128": ">= 4 eager, 90 % of copy", "reparameterise_kl_1000000x128": "85 % of its bound", "log_density_4096x4096x10": "85 % of its bound", "matmul_4096": ">= 0.6", "matmul_4096_fp32": ">= 0.8",
}
# Rates as shares of what `vae doctor` measured on this card just before.
copy, fma = ours[0]["gpu_copy_bytes_per_second"], ours[0]["gpu_fma_flops_per_second"]
tensor = ours[0]["gpu_tensor_flops_per_second"] or fma
share = lambda rate, peak: f"{100 * rate / peak:.0f} %" if rate else ""
lines = ["| workload | ours, us | of the copy bandwidth | of the arithmetic peak | eager | compiled | one graph | over eager | over the fastest | least | most | target |", "| --- |" + " ---: |" * 10 + " --- |"]
for name in ours[0]["bench"]:
    mine = [o["bench"][name]["seconds"] for o in ours]
    peers = [t["workloads"].get(name, {}) for t in torch]
    columns = [statistics.median(p[mode]["seconds"] for p in peers) if mode in peers[0] else None for mode in ("eager", "compiled", "graph")]
    us = lambda s: "" if s is None else f"{s * 1e6:.1f}"
    ratios = [min(mode["seconds"] for mode in p.values()) / m for p, m in zip(peers, mine) if p]
    over_eager = statistics.median(p["eager"]["seconds"] / m for p, m in zip(peers, mine)) if peers[0] else None
    tail = [f"{over_eager:.2f}", f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"] if ratios else [""] * 4
    bytes_rate, flops_rate = (statistics.median(o["bench"][name][rate] for o in ours) for rate in ("bytes_per_second", "flops_per_second"))
    shares = f"{share(bytes_rate, copy)} | {share(flops_rate, tensor if name == 'matmul_4096' else fma) if name != 'matmul_4096_bf16' else ''}"
    lines.append(f"| {name} | {us(statistics.median(mine))} | {shares} | {' | '.join(map(us, columns))} | {' | '.join(tail)} | {targets.get(name, '')} |")
metrics = work / "run" / "metrics.csv"
if metrics.exists():
    last = list(csv.DictReader(metrics.open()))[-1]
    lines += ["", f"The whole training of paper 1, {last['epoch']} epochs of the 60 000 images in batches of 100, without the evaluation after each: {float(last['seconds']):.1f} s (target for 200: <= 15)."]
facts = [f"- {key.replace('_', ' ')}: {value}" for key, value in ours[0].items() if isinstance(value, (str, int, float)) and key not in ("memory_bytes",)]
page = "\n".join([
    f"# GPU against PyTorch, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}", "",
    f"{pairs} alternated runs, medians; times from CUDA events. Ratios: PyTorch's time over ours (more is better).", "", *facts,
    f"- PyTorch: {torch[0]['torch']}, CUDA {torch[0]['cuda']}, {torch[0]['device']}, tf32, channels_last, data on the device", "- command: Bench/compare-gpu.sh --pairs " + str(pairs), "", *lines, ""])
temporary = out.with_suffix(".tmp")
temporary.write_text(page)
os.replace(temporary, out)
print("\n".join(lines))
print(f"written to {out}", file=sys.stderr)
PYTHON
