#!/bin/bash
# What `vae explore` takes, measured in Chromium: from a drag to its picture, from opening a run of 10 000 test images to its first view, the page's weight, memory with five runs open.
#   scripts/explore-figures.sh       builds the tests if need be and prints the figures
# Run it when nothing else runs. Needs chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
export VAE_MEASURE=1 VAE_REQUIRE_CHROMIUM=1
dotnet build Tests -c Release --nologo -v q
dotnet test Tests -c Release --no-build --nologo --logger "console;verbosity=detailed" -- NUnit.Where="class =~ FigureTests" | grep -E '^ *figure:|Failed|error'
