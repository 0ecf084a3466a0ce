#!/bin/bash
# Brings NVIDIA's assembler (ptxas) from Debian's non-free archive into a private folder: never installed, never redistributed.
#   scripts/get-ptxas.sh [FOLDER [SUITE]]      default: ${TMPDIR:-/tmp}/ptxas and the machine's own suite; bookworm has 11.8, trixie 12.4
# Prints the path of ptxas. Exit 77: skipped, with the reason on stderr (no apt, not Debian, archive or package not reachable).
# One that PTXAS names, or that is on the PATH, is taken as it is.
set -euo pipefail
folder=${1:-${TMPDIR:-/tmp}/ptxas}
package=nvidia-cuda-toolkit
skip() { echo "get-ptxas: skipped: $*" >&2; exit 77; }
found() { find "$folder/root" -type f -name ptxas -perm -u+x -print -quit 2>/dev/null; }

if [[ -n ${PTXAS:-} ]]; then echo "$PTXAS"; exit 0; fi
if [[ $# -le 1 ]] && command -v ptxas; then exit 0; fi
if [[ -n $(found) ]]; then found; exit 0; fi
command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip "no apt"
[[ $(. /etc/os-release; echo "$ID") == debian ]] || skip "not Debian"
own=$(. /etc/os-release; echo "$VERSION_CODENAME")
suite=${2:-$own}

# The machine's own mirror of "main" also carries non-free.
mirror=$(apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
  awk -F'|' -v s="$own" '$1 == s && $2 == "main" && !n++ { print $3 }')
[[ -n $mirror ]] || skip "no source of $own main"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -e $keys ]] && signed="[signed-by=$keys] " || signed=

rm -rf "$folder/unpacked"
mkdir -p "$folder"/{lists/partial,archives/partial,unpacked}
folder=$(cd "$folder" && pwd)
echo "deb $signed$mirror $suite non-free" >"$folder/sources.list"
: >"$folder/status"
apt=(apt-get -qq -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$folder/lists"
  -o Dir::State::status="$folder/status" -o Dir::Cache="$folder" -o Dir::Cache::archives="$folder/archives"
  -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
  -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o APT::Update::Error-Mode=any)
"${apt[@]}" update >&2 || skip "the archive's non-free component is not reachable"
cd "$folder/archives"
"${apt[@]}" download "$package" >&2 || skip "$package is not reachable"
dpkg --fsys-tarfile ./"$package"_*.deb | tar -x -C "$folder/unpacked" --wildcards '*/bin/ptxas' '*/doc/*/copyright' || true
rm -rf ./"$package"_*.deb "$folder/root"
mv "$folder/unpacked" "$folder/root"
[[ -n $(found) ]] || skip "$package has no ptxas"
found
