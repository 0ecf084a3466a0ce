#!/bin/bash
# Packs the libraries and the tool, installs both from the folder of packages into empty directories outside of the clone,
# compiles the README's C# there, and trains.
#   scripts/check-packages.sh [FOLDER]    default: artifacts/packages
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
out=$(realpath -m "${1:-artifacts/packages}")
libraries_limit=$((8 * 1000 * 1000)) tool_limit=$((30 * 1000 * 1000))
rm -rf "$out"
for project in packaging Cli; do
  dotnet pack "$project" -c Release -o "$out" --nologo -v q
done
version=$(sed -n 's/.*<Version>\(.*\)<\/Version>.*/\1/p' Directory.Build.props)
library=$out/VaeFromScratch.$version.nupkg symbols=$out/VaeFromScratch.$version.snupkg tool=$out/VaeFromScratch.Cli.$version.nupkg
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is inside.
has() {
  grep -qx "$2" <<<"$(unzip -Z1 "$1")" || { echo "check-packages: no $2 in $1" >&2; exit 1; }
}
for name in Kernels Engine Data Estimators Models Reports; do
  has "$library" "lib/net10.0/VaeFromScratch.$name.dll"
  has "$library" "lib/net10.0/VaeFromScratch.$name.xml"
  has "$symbols" "lib/net10.0/VaeFromScratch.$name.pdb"
done
for package in "$library" "$tool"; do
  has "$package" README.md
  has "$package" LICENSE
  has "$package" NOTICE.md
done
has "$tool" '.*/datasets/mnist/train-images-idx3-ubyte.gz'

# The package needs what the libraries inside it need.
wanted=$(sed -n 's/.*<PackageReference Include="\([^"]*\)".*/\1/p' {Kernels,Engine,Data,Estimators,Models,Reports}/*.csproj | sort -u)
declared=$(unzip -p "$library" VaeFromScratch.nuspec | sed -n 's/.*<dependency id="\([^"]*\)".*/\1/p' | sort -u)
[ "$wanted" = "$declared" ] || { echo "check-packages: the libraries need $wanted; the package declares $declared" >&2; exit 1; }

# Folders that know the packages by their folder only; a cache of their own, so that no older package of this version is taken.
export NUGET_PACKAGES=$work/cache DOTNET_CLI_HOME=$work/home
mkdir -p "$work/library" "$work/tool" "$work/home"
for folder in library tool; do
  (cd "$work/$folder" && dotnet new nugetconfig --force >/dev/null && dotnet nuget add source "$out" -n local >/dev/null)
done

echo "README's C# against the package"
cd "$work/library"
sed -n '/^```csharp$/,/^```$/p' "$root/README.md" | sed '1d;$d' >first.cs
grep -q "#:package VaeFromScratch@$version" first.cs || { echo "check-packages: README.md does not name version $version" >&2; exit 1; }
dotnet run -c Release first.cs

echo "the tool, installed, beside a folder of the user's own that is called datasets"
cd "$work/tool"
mkdir -p datasets/mine
dotnet tool install VaeFromScratch.Cli --version "$version" --tool-path "$work/bin" >/dev/null
"$work/bin/vae" data verify mnist
"$work/bin/vae" train --limit 500 --epochs 1 --network mlp:32 --latents 4 --out run --plain
[ -s run/report.html ] || { echo "check-packages: the installed tool wrote no report" >&2; exit 1; }
echo "the tool by dnx, without installing it"
dotnet tool exec "VaeFromScratch.Cli@$version" -y -- list models >/dev/null

# Sizes: the libraries with the two packages of ILGPU, as restored.
size() { stat -c %s "$@" | awk '{ sum += $1 } END { print sum }'; }
libraries=$(($(size "$library") + $(size "$work"/cache/ilgpu*/*/*.nupkg))) tool_size=$(size "$tool")
echo "libraries with ILGPU: $libraries bytes; tool with MNIST: $tool_size bytes; the same files for every system"
((libraries <= libraries_limit)) || { echo "check-packages: the libraries have more than $libraries_limit bytes" >&2; exit 1; }
((tool_size <= tool_limit)) || { echo "check-packages: the tool has more than $tool_limit bytes" >&2; exit 1; }
