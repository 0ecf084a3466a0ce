#!/bin/bash
# Writes what is public in the libraries to their PublicAPI.Unshipped.txt, one line a symbol; a build with other symbols is an error.
# To be run, and its change read, when a public name comes or goes.
#   scripts/public-api.sh
set -euo pipefail
cd "$(dirname "$0")/.."
libraries=(Kernels Engine Data Estimators Models Reports)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for library in "${libraries[@]}"; do
  echo '#nullable enable' >"$library/PublicAPI.Unshipped.txt"
done
# Of empty lists the analyser names every symbol, in the form that it expects; a library that is up to date would not be compiled again.
dotnet build Reports -c Release --nologo --no-incremental -p:WarningsNotAsErrors=RS0016 >"$work/log" || { tail -n 20 "$work/log"; exit 1; }
for library in "${libraries[@]}"; do
  {
    echo '#nullable enable'
    sed -n "s/.*warning RS0016: Symbol '\(.*\)' is not part of the declared public API .*\[.*\/$library\.csproj\]$/\1/p" "$work/log" | LC_ALL=C sort -u
  } >"$work/list"
  mv "$work/list" "$library/PublicAPI.Unshipped.txt"
  echo "$library: $(grep -Evc ' -> |^#' "$library/PublicAPI.Unshipped.txt") types, $(wc -l <"$library/PublicAPI.Unshipped.txt") symbols"
done
