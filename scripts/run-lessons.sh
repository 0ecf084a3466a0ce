#!/bin/bash
# Runs every lesson: each checks its own numbers and writes a page.
#   scripts/run-lessons.sh [FOLDER]    default: runs/lessons
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-runs/lessons}
longest=150
for file in lessons/[0-9][0-9]-*.cs; do
  name=$(basename "$file" .cs)
  if (($(wc -l <"$file") > longest)); then
    echo "run-lessons: $file has more than $longest lines" >&2
    exit 1
  fi
  start=$SECONDS
  dotnet run -c Release "$file" -- "$out"
  [ -s "$out/$name.html" ] || { echo "run-lessons: $file wrote no page" >&2; exit 1; }
  echo "== $name: $((SECONDS - start)) s, the compiler included"
  echo
done
