#!/bin/bash
# Writes a Markdown page for every public type of the libraries into docs/api, from the comments in the code, by docfx.
# Exits with 77 where docfx cannot be had.
#   scripts/api-pages.sh [FOLDER]    default: docs/api
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-docs/api}")
docfx_version=2.81.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build Cli -c Release --nologo -v q
if ! dotnet tool install docfx --version $docfx_version --tool-path "$work/bin" >"$work/log" 2>&1; then
  echo "docfx $docfx_version cannot be installed here: $(tail -n 1 "$work/log")"
  exit 77
fi
# Of the assemblies and their XML files, as the package has them; the tool's folder has what they refer to as well.
cat >"$work/docfx.json" <<JSON
{ "metadata": [ {
  "src": [ { "src": "$PWD/Cli/bin/Release/net10.0", "files": [ "VaeFromScratch.*.dll" ], "exclude": [ "VaeFromScratch.Reference.dll", "VaeFromScratch.Explore.dll" ] } ],
  "dest": "api", "outputFormat": "markdown", "namespaceLayout": "nested" } ] }
JSON
"$work/bin/docfx" metadata "$work/docfx.json" --logLevel warning
rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv "$work/api" "$out"
pages=$(find "$out" -name '*.md' | wc -l)
# The committed lists name every public type, generic ones as Slice<T>, whose page is Slice-1.md.
types=$(cat {Kernels,Engine,Data,Estimators,Models,Reports}/PublicAPI.{Shipped,Unshipped}.txt | grep -Ev ' -> |^#' |
  awk '{ if (match($0, /<.*>/)) { n = gsub(/,/, "&"); sub(/<.*>/, "-" n + 1) } print }')
missing=$(while read -r type; do [ -e "$out/$type.md" ] || echo "$type"; done <<<"$types")
[ -z "$missing" ] || { echo "api-pages: no page for" $missing >&2; exit 1; }
grep -rqlF 'nats' "$out" || { echo "api-pages: no comment reached the pages" >&2; exit 1; }
echo "$out: $pages pages, one for each of $(wc -l <<<"$types") public types; begin at $(find "$out" -name 'VaeFromScratch.md' | head -n 1)"
