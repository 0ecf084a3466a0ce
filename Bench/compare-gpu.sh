#!/usr/bin/env bash
# Ours against PyTorch on one GPU, alternated; prints one table and writes Bench/results/gpu-DATE.md.
#   --pairs N        runs of each side (default 3)
#   --device NAME    cuda, cuda:1, or opencl to try the script without a GPU (default cuda)
#   --vae FILE       the tool (default: artifacts/portable/vae, published first where it is missing)
#   --peer COMMAND   what prints PyTorch's side (default: python3 Bench/peers/torch_gpu.py); none for ours alone
#   --epochs N       of the whole training run of paper 1 that ours is timed for besides (default 200, its own; 0 leaves it out)
#   --out FILE       where the page goes
#   --keep DIR       keep the JSON of every run there
# Needs the driver, and Python, with PyTorch 2.11 or a later 2.x for its side. It begins with every kernel against its reference: what is
# wrong is not worth timing. The page is written anew after each pair, so that what was measured is there if a later one fails.
set -euo pipefail
cd "$(dirname "$0")/.."
command="Bench/compare-gpu.sh${*:+ $*}"
pairs=3 device=cuda vae=artifacts/portable/vae peer="python3 Bench/peers/torch_gpu.py" out=Bench/results/gpu-$(date -u +%Y-%m-%d).md epochs=200 keep=
while [ $# -gt 0 ]; do
  case $1 in
    --pairs) pairs=$2; shift ;;
    --device) device=$2; shift ;;
    --vae) vae=$2; shift ;;
    --peer) peer=$2; shift ;;
    --out) out=$2; shift ;;
    --epochs) epochs=$2; shift ;;
    --keep) keep=$2; shift ;;
    *) echo "compare-gpu.sh: unknown option $1; the first lines of this file name them" >&2; exit 2 ;;
  esac
  shift
done
[ -x "$vae" ] || scripts/publish-portable.sh "$(dirname "$vae")" >&2
work=${keep:-$(mktemp -d)}
mkdir -p "$work" "$(dirname "$out")"
[ -n "$keep" ] || trap 'rm -rf "$work"' EXIT
changes=$(git status --porcelain 2>/dev/null || true)

page() {
  python3 - "$work" "$out" "$command" "${changes:+ with local changes}" <<'PYTHON'
import csv, datetime, json, os, pathlib, statistics, sys

work, out, command, changes = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
load = lambda side: [json.loads(file.read_text()) for file in sorted(work.glob(f"{side}.*.json"))]
ours, torch = load("ours"), load("torch")
if not ours:
    sys.exit("compare-gpu.sh: none of our runs succeeded yet")
# The targets are over compiled PyTorch (or one graph of its step, where that is faster), but where eager is named.
targets = {
    "mnist_conv_vae_batch_100": ">= 1.5, >= 5 eager", "mnist_conv_vae_batch_4096": ">= 1.0", "celeba_conv_vae_batch_256": ">= 1.0", "cifar_exon_batch_128": ">= 1.0",
    "information_4000000x128": ">= 4 eager, 90 % of copy", "reparameterise_kl_1000000x128": "85 % of copy", "log_density_4096x4096x10": "85 % of fp32", "matmul_4096": ">= 0.6",
}
# Rates as shares of what `vae doctor` measured on this card just before; tensor cores exceed the peak of fp32.
copy, fma = (statistics.median(o[key] for o in ours) for key in ("copy_bytes_per_second", "fma_flops_per_second"))
share = lambda rate, peak: f"{100 * rate / peak:.0f} %" if rate else ""
us = lambda seconds: "" if seconds is None else f"{seconds * 1e6:.1f}"
ratio = lambda theirs, mine: "" if theirs is None else f"{theirs / mine:.2f}"
modes = ("eager", "compiled", "graph")
lines = ["| workload | ours, us | least | most | of the copy bandwidth | of the fp32 peak | eager, us | compiled, us | one graph, us | over eager | over the fastest | target |", "| --- |" + " ---: |" * 10 + " --- |"]
for name in ours[0]["bench"]:
    mine = [o["bench"][name]["seconds"] for o in ours]
    middle = statistics.median(mine)
    bytes_rate, flops_rate = (statistics.median(o["bench"][name][rate] for o in ours) for rate in ("bytes_per_second", "flops_per_second"))
    theirs = {}
    for mode in modes:
        times = [t["workloads"][name][mode]["seconds"] for t in torch if "seconds" in t["workloads"].get(name, {}).get(mode, {})]
        theirs[mode] = statistics.median(times) if times else None
    fastest = min((t for t in theirs.values() if t is not None), default=None)
    cells = [name, us(middle), us(min(mine)), us(max(mine)), share(bytes_rate, copy), share(flops_rate, fma), *map(us, theirs.values()),
             ratio(theirs["eager"], middle), ratio(fastest, middle), targets.get(name, "")]
    lines.append(f"| {' | '.join(cells)} |")
failed = sorted({f"{name}, {mode}: {result['error']}" for t in torch for name, results in t["workloads"].items() for mode, result in results.items() if "error" in result})
lines += ["", "What failed in PyTorch:", *(f"- {line}" for line in failed)] if failed else []
metrics = work / "run" / "metrics.csv"
if metrics.exists():
    last = list(csv.DictReader(metrics.open()))[-1]
    lines += ["", f"The whole training of paper 1, {last['epoch']} epochs of the 60 000 images in batches of 100, without the evaluation after each: {float(last['seconds']):.1f} s (target for 200: <= 15)."]
cases = json.loads((work / "selftest.json").read_text())["selftest"]["cases"]
facts = [f"- {key.replace('_', ' ')}: {value}{changes if key == 'commit' else ''}" for key, value in ours[0].items() if isinstance(value, (str, int, float))]
peer = [f"- PyTorch: {torch[0]['torch']}, CUDA {torch[0]['cuda']}, {torch[0]['device']}, tf32, channels_last, data on the device"] if torch else ["- PyTorch: not measured"]
page = "\n".join([
    f"# GPU against PyTorch, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}", "", *facts, *peer,
    f"- self-test: all {len(cases)} kernel cases agree with the double-precision reference", f"- command: `{command}`", "",
    f"{len(ours)} alternated runs; each time is the median over them.",
    "Ours are medians by the host's clock, from the call until the device is done, PyTorch's medians between two CUDA events.",
    "Ratios are PyTorch's time over ours: more is better.", "", *lines, ""])
temporary = out.with_name(out.name + ".tmp")
temporary.write_text(page)
os.replace(temporary, out)
print("\n".join(lines))
PYTHON
}

echo "every kernel against its reference" >&2
"$vae" doctor --device "$device" --selftest --json >"$work/selftest.json" || { echo "compare-gpu.sh: kernels are wrong on $device, so nothing was timed" >&2; exit 1; }
for ((pair = 1; pair <= pairs; pair++)); do
  echo "pair $pair" >&2
  # Who goes first changes, so that a drift of the clock rate favours nobody.
  for side in $( ((pair % 2)) && echo ours torch || echo torch ours); do
    if [ "$side" = ours ]; then
      run="$vae doctor --device $device --bench --json"
    else
      run=$peer
    fi
    [ "$run" != none ] || continue
    if $run >"$work/running"; then mv "$work/running" "$work/$side.$pair.json"; else echo "compare-gpu.sh: this run of $side failed" >&2; fi
  done
  page >"$work/table"
done
if ((epochs > 0)); then
  "$vae" train beta-vae --epochs "$epochs" --device "$device" --report false --plain --out "$work/run" >&2
  page >"$work/table"
fi
cat "$work/table"
echo "written to $out" >&2
