#!/bin/bash
# Native checks of the CUDA kernels on the emulator: thread orders, deliberate mistakes, AddressSanitizer, ThreadSanitizer, and mutations.
set -uo pipefail
cd "$(dirname "$0")/.."
compiler=${CXX:-g++}
common=(-std=c++17 -g1 -march=x86-64-v3 -ffp-contract=off -fno-math-errno -fno-trapping-math -w -Wno-psabi -DVAE_EMULATOR -Iemulator -Isrc)
sources=(emulator/scheduler.cpp emulator/checks.cpp emulator/mistakes.cu src/*.cu)
failed=0

# build NAME: compiles every source into emulator/build/NAME with the options in `options`; the emulator itself is not instrumented.
build() {
  local out="emulator/build/$1" jobs=() source object
  mkdir -p "$out"
  for source in "${sources[@]}"; do
    object="$out/$(basename "${source%.*}").o"
    local instrument=("${sanitizer[@]}")
    [[ $source == emulator/scheduler.cpp ]] && instrument=()
    "$compiler" -x c++ "${common[@]}" "${options[@]}" "${instrument[@]}" -c "$source" -o "$object" &
    jobs+=($!)
    if ((${#jobs[@]} >= $(nproc))); then wait "${jobs[0]}" || return 1; jobs=("${jobs[@]:1}"); fi
  done
  for job in "${jobs[@]}"; do wait "$job" || return 1; done
  "$compiler" "${sanitizer[@]}" "$out"/*.o -o "$out/checks" -lpthread
}

step() { # name, command...
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    echo "== $name: passed ($((SECONDS - start)) s)"
  else
    echo "== $name: FAILED ($((SECONDS - start)) s)"
    failed=$((failed + 1))
  fi
}

# Takes each __syncthreads out in turn. Where every order still gives the same bits, ThreadSanitizer must see a race, at which it stops
# (status 66).
mutations() {
  local missed=0 status
  for ((i = 0; ; i++)); do
    emulator/build/plain/checks mutation "$i"
    status=$?
    ((status == 3)) && break
    ((status == 0)) && continue
    TSAN_OPTIONS=halt_on_error=1:exitcode=66 setarch -R emulator/build/thread/checks mutation "$i"
    status=$?
    if ((status == 66)); then echo "a race"; elif ((status != 0)); then echo "nothing notices"; missed=1; fi
  done
  ((i > 0 && missed == 0))
}

options=(-O2) sanitizer=()
step "build" build plain
step "thread orders" emulator/build/plain/checks run
step "deliberate mistakes" emulator/build/plain/checks mistakes

options=(-O1) sanitizer=(-fsanitize=address,alignment,bounds,shift,signed-integer-overflow -fno-sanitize-recover=all)
step "build with AddressSanitizer" build address
# The fibers' stacks are not the ones that the sanitizer knows.
step "addresses and undefined behaviour" env ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0 emulator/build/address/checks run

options=(-O1 -DVAE_THREAD_SANITIZER -Wno-tsan) sanitizer=(-fsanitize=thread)
step "build with ThreadSanitizer" build thread
step "races" setarch -R emulator/build/thread/checks run
step "each barrier removed in turn" mutations

if ((failed)); then echo "emulator checks: $failed FAILED"; else echo "emulator checks: all passed"; fi
((failed == 0))
