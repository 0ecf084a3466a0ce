#!/usr/bin/env bash
# Ours against PyTorch or LibTorch on the CPU, alternated section by section; prints one table and writes it to Bench/results.
#   --peer P         pytorch (the distribution's; default) or torchsharp (LibTorch 2.10 through TorchSharp)
#   --pairs N        undisturbed pairs wanted of each section (default 5); up to 2 N are measured
#   --sections LIST  comma-separated (default: all of them)
#   --repeats R --min-time S --images-per-block I   as both sides understand them (defaults 3, 0.05, 6000)
#   --threads T      of both sides (default 2)
#   --quick          one pair of tiny blocks: shows that everything runs, and no more
#   --keep DIR       keep the JSON of every pair there
# Needs the .NET SDK and what Bench/peers/README.md names. Takes about ten minutes with five pairs on two idle cores.
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=5 sections=gemm,conv,elementwise,mi,mnist,celeba,imae,memory,growth repeats=3 minimum=0.05 images=6000 threads=2 keep= quick= peer=pytorch chosen=
while [ $# -gt 0 ]; do
  case $1 in
    --pairs) pairs=$2; shift ;;
    --peer) peer=$2; shift ;;
    --sections) sections=$2 chosen=yes; shift ;;
    --repeats) repeats=$2; shift ;;
    --min-time) minimum=$2; shift ;;
    --images-per-block) images=$2; shift ;;
    --threads) threads=$2; shift ;;
    --keep) keep=$2; shift ;;
    --quick) pairs=1 repeats=1 minimum=0.005 images=1000 quick=yes ;;
    *) echo "compare.sh: unknown option $1; the first lines of this file name them" >&2; exit 2 ;;
  esac
  shift
done

case $peer in
  pytorch) start=Bench/peers/torch_cpu.sh ;;
  # It has no eager row for the information estimate.
  torchsharp) start=Bench/peers/torchsharp/run.sh; [ -n "$chosen" ] || sections=${sections/mi,/} ;;
  *) echo "compare.sh: --peer $peer: there are pytorch and torchsharp" >&2; exit 2 ;;
esac

dotnet build Bench -c Release -v q --nologo >&2
bench() { dotnet Bench/bin/Release/net10.0/VaeFromScratch.Bench.dll "$@"; }
work=${keep:-$(mktemp -d)}
mkdir -p "$work"
[ -n "$keep" ] || trap 'rm -rf "$work"' EXIT
same=(--repeats "$repeats" --min-time "$minimum" --images-per-block "$images" --threads "$threads" --data datasets)

ours() { bench compare --json --sections "$2" "${same[@]}" >"$work/$1/$2.ours.json"; }

torch() {
  case $2 in
    growth) ;; # ours alone
    memory)
      # Both ways of keeping the images, each in a process of its own; the allocator as it comes, which takes less memory.
      for kind in float bytes; do
        PEER_MALLOC=default $start --sections memory_$kind "${same[@]}" >"$work/$1/memory.$kind"
      done
      python3 - "$work/$1" <<'PYTHON'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
rows = {}
for kind in ("float", "bytes"):
    rows |= json.loads((folder / f"memory.{kind}").read_text())[f"memory_{kind}"]
(folder / "memory.torch.json").write_text(json.dumps({"memory": rows}))
PYTHON
      ;;
    *) $start --sections "$2" "${same[@]}" >"$work/$1/$2.torch.json" ;;
  esac
}

wanted=${sections//,/ }
for ((pair = 1; pair <= 2 * pairs; pair++)); do
  name=$(printf 'pair-%02d' "$pair")
  mkdir -p "$work/$name"
  for section in $wanted; do
    echo "pair $pair: $section" >&2
    # Who goes first changes, so that a drift of the clock rate favours nobody.
    if ((pair % 2)); then ours "$name" "$section"; torch "$name" "$section"; else torch "$name" "$section"; ours "$name" "$section"; fi
  done
  [ -z "$quick" ] || break
  if ((pair >= pairs)); then
    wanted=$(bench table "$work" --needed "$pairs")
    [ -n "$wanted" ] || break
  fi
done

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit with local changes"
if [ -n "$quick" ]; then
  bench table "$work" --keep-disturbed
else
  out=Bench/results/cpu-$peer-$(date -u +%Y-%m-%d).md
  mkdir -p Bench/results
  bench table "$work" --out "$out" --commit "$commit" \
    --command "Bench/compare.sh --peer $peer --pairs $pairs --sections $sections --repeats $repeats --min-time $minimum --images-per-block $images --threads $threads"
  echo "written to $out" >&2
fi
