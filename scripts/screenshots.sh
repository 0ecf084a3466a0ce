#!/bin/bash
# The pictures of Explore/README.md: docs/pictures/explore-sliders.png and explore-plane.png, of runs that are trained for them (some minutes), in Chromium without a window.
#   scripts/screenshots.sh [FOLDER]      default: docs/pictures; the runs are kept in ${TMPDIR:-/tmp}/vae-screenshots and taken from there the next time
# Needs a build (dotnet build -c Release) and chromium; VAE_CHROMIUM names another one.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-docs/pictures} runs=${TMPDIR:-/tmp}/vae-screenshots limit=$((150 * 1000))
chromium=${VAE_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)} ||
  { echo "screenshots: there is no chromium; Debian's package is chromium" >&2; exit 1; }
vae() { dotnet Cli/bin/Release/net10.0/vae.dll "$@"; }
mkdir -p "$out" "$runs"
[ -e "$runs/digits/evaluation.json" ] || vae train beta-vae --beta 4 --latents 32 --epochs 5 --limit 20000 --plain --report false --out "$runs/digits"
[ -e "$runs/circle/evaluation.json" ] || vae train exon --labels 1000 --epochs 5 --limit 20000 --plain --report false --out "$runs/circle"
work=$(mktemp -d)
coproc server { exec dotnet Cli/bin/Release/net10.0/vae.dll explore "$runs" --device cpu; }
pid=$server_PID
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
read -r address <&"${server[0]}"

# picture NAME WIDTH HEIGHT VIEW
picture() {
  # Time is virtual: the page's timers run until so many milliseconds have passed for it, and answers are waited for.
  "$chromium" --headless --no-sandbox --hide-scrollbars --user-data-dir="$work/profile" --window-size="$2,$3" --virtual-time-budget=15000 --timeout=60000 \
    --screenshot="$work/$1.png" "$address$4" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  cp "$work/$1.png" "$out/$1.png"
  local size
  size=$(stat -c %s "$out/$1.png")
  ((size <= limit)) || { echo "screenshots: $out/$1.png has $size bytes, more than $limit" >&2; exit 1; }
  echo "$out/$1.png: $size bytes"
}

picture explore-sliders 1200 720 '#run=digits&view=sliders&image=3'
picture explore-plane 1000 800 '#run=circle&view=plane&image=3'
