#!/bin/bash
# CUDA C++ to PTX with clang and no CUDA SDK: src/*.cu -> ptx/<arch>/*.ptx, then checks what came out and writes ptx/MANIFEST.
#   build-ptx.sh          writes ptx/
#   build-ptx.sh --check  compiles into a temporary folder and fails when that differs from ptx/
# Which PTX serves which card: sm_90a compute capability 9.0 only, sm_80 8.x and everything newer than 9.0, sm_75 7.5.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C
compiler=${CLANG:-clang++-19}
flags=(-x cuda --cuda-device-only -nocudainc -nocudalib -nostdinc++ -nostdlibinc -std=c++17 -O3 -ffp-contract=off -fno-exceptions -fno-rtti
  -Wall -Wno-unused-function -Wno-unknown-cuda-version -Werror)
# Without its own PTX version clang picks one that is too old for shuffles.
architectures=("sm_75 ptx64" "sm_80 ptx71" "sm_90a ptx80")
shared_limit=49152

target=ptx
if [[ ${1:-} == --check ]]; then
  target=$(mktemp -d)
  trap 'rm -rf "$target"' EXIT
fi

compile() { # architecture, PTX version, source
  local to="$target/$1/$(basename "$3" .cu).ptx"
  "$compiler" "${flags[@]}" --cuda-gpu-arch="$1" --cuda-feature=+"$2" -S -o - "$3" | grep -vE '^[[:space:]]*//|^[[:space:]]*$' >"$to"
  # tf32 sources are empty below sm_80.
  if ! grep -q '\.entry' "$to"; then rm "$to"; fi
}

for architecture in "${architectures[@]}"; do
  read -r name version <<<"$architecture"
  mkdir -p "$target/$name"
  rm -f "$target/$name"/*.ptx
  jobs=()
  for source in src/*.cu; do
    compile "$name" "$version" "$source" &
    jobs+=($!)
    if ((${#jobs[@]} >= $(nproc))); then wait "${jobs[0]}"; jobs=("${jobs[@]:1}"); fi
  done
  for job in "${jobs[@]}"; do wait "$job"; done
done

# Launches may overlap on 9.0 (AFTER_EARLIER_KERNELS in src/prelude.cuh): every kernel waits for the earlier ones before it touches memory or branches, and reads nothing as if it were
# constant while the kernel runs.
waits_first() { # PTX file
  awk -v file="$1" '
    function complain(what) { print "lint: " file ": " entry " " what; failed = 1 }
    /\.entry/ { entry = $3; sub(/\(.*/, "", entry); kernels++; waited = inside = 0 }
    /\.nc\./ { complain("reads memory as constant: " $0) }
    /^\{/ { inside = 1; next }
    /^\}/ { if (inside && !waited) complain("does not wait for the kernels before it (griddepcontrol.wait)"); inside = 0 }
    !inside { next }
    waited { next }
    /griddepcontrol\.wait/ { waited = 1; next }
    /^[^[:space:]].*:|[[:space:]](@|bra|ret|exit|bar|barrier|st|atom|red|cp|ldu|prefetch|fence|membar|mbarrier)[^a-z]/ || (/[[:space:]]ld\./ && !/ld\.param/) {
      complain("does not wait for the kernels before it (griddepcontrol.wait) before: " $0); waited = 1
    }
    END { exit failed || !kernels }' "$1" >&2
}

# No calls (a maths function that slipped in), no local memory (spilled or indexed registers), no double precision (1/32 to 1/64 of the rate), and no kernel
# with more static shared memory than every card gives.
bad=0
for ptx in "$target"/*/*.ptx; do
  if grep -nE '\.extern \.func|^[[:space:]]*call|__local_depot|\.local |\.f64' "$ptx"; then
    echo "lint: $ptx has calls, local memory or double precision" >&2
    bad=1
  fi
  awk -v file="$ptx" -v limit="$shared_limit" '
    /^\.(shared|extern \.shared|visible \.shared)|^\.(internal )?\.?shared/ || /\.shared \.align/ {
      if (match($0, /[A-Za-z_$][A-Za-z0-9_$]*\[[0-9]+\]/)) { s = substr($0, RSTART, RLENGTH); n = s; sub(/\[.*/, "", n); sub(/.*\[/, "", s); sub(/\].*/, "", s); size[n] = s }
      else if (match($0, /\.b32 [^;]*;/)) { }
      next
    }
    /\.entry/ { entry = $3; sub(/\(.*/, "", entry); total = 0; split("", seen) }
    { for (n in size) if (!(n in seen) && index($0, n)) { seen[n] = 1; total += size[n]; if (total > limit) { print "lint: " file ": " entry " uses " total " bytes of static shared memory"; failed = 1 } } }
    END { exit failed }' "$ptx" >&2 || bad=1
  if [[ $ptx == */sm_90a/* ]] && ! waits_first "$ptx"; then bad=1; fi
  if command -v ptxas >/dev/null; then
    arch=$(basename "$(dirname "$ptx")")
    if ptxas -v -arch="$arch" -o /dev/null "$ptx" 2>&1 | grep -E '[1-9][0-9]* bytes spill'; then
      echo "lint: $ptx spills registers" >&2
      bad=1
    fi
  fi
done
((bad == 0))

{
  echo "compiler: $("$compiler" --version | head -1 | grep -oE 'clang version [0-9]+\.[0-9]+\.[0-9]+')"
  echo "flags: ${flags[*]}"
  for architecture in "${architectures[@]}"; do echo "architecture: $architecture"; done
  (sha256sum src/*.cu src/*.cuh; cd "$target"; sha256sum */*.ptx | sed 's|  |  ptx/|')
} >"$target/MANIFEST"

if [[ $target != ptx ]]; then
  diff -rq "$target" ptx || { echo "ptx/ is not what src/ compiles to: run Kernels/Cuda/build-ptx.sh and commit the result" >&2; exit 1; }
fi
echo "$(ls "$target"/*/*.ptx | wc -l) files, $(du -cb "$target"/*/*.ptx | tail -1 | cut -f1) bytes: no calls, no local memory, no double precision"
