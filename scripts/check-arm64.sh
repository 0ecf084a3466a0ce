#!/usr/bin/env bash
# The tool and the kernels on Arm64's instructions, under qemu: says what they compute there, nothing of how fast.
#   scripts/check-arm64.sh [--all]
# Needs a Release build, qemu-aarch64-static (Debian's qemu-user-static), and apt to fetch the libraries that .NET is linked with on Arm64.
#   bits      the kernels that give the same bits at every vector width give those of x86
#   kernels   cases against the double-precision reference: products, convolutions and some of the others; all of them, and all other
#             tests of the CPU's kernels, with --all
#   training  two epochs of a convolutional and of a dense network, bit for bit those that x86 trains with 128-bit vectors
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
case ${1:-} in
  "") where="test =~ Every_vector_width or (class =~ CpuKernelTests and test =~ /reference.(MatMul|Conv2dForward|Conv2dBackwardWeight|MaxPool|LstmCell)/)" ;;
  --all) where="namespace == VaeFromScratch.Tests.Kernels and cat != Cuda and cat != Gpu" ;;
  *) echo "check-arm64: unknown argument '$1'; use none, or --all" >&2; exit 2 ;;
esac
command -v qemu-aarch64-static >/dev/null || { echo "check-arm64: no qemu-aarch64-static: install qemu-user-static" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A folder with Arm64's C and C++ libraries and OpenSSL, which this machine's package manager need not know of.
sysroot() {
  local apt=$work/apt options package
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$work/sysroot"
  touch "$apt/status"
  options=(-qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root
    -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt")
  apt-get "${options[@]}" update
  (cd "$apt" && apt-get "${options[@]}" download libc6 libgcc-s1 libstdc++6 libssl3)
  for package in "$apt"/*.deb; do
    dpkg-deb -x "$package" "$work/sysroot"
  done
}

# The runtime maps its code twice, writable and executable, which qemu does not follow.
on_arm64() {
  QEMU_LD_PREFIX=$work/sysroot DOTNET_EnableWriteXorExecute=0 DOTNET_TieredPGO=0 qemu-aarch64-static "$@"
}

kernels() {
  # Of more tests than its limit the adapter would run all that there are.
  printf '<RunSettings><NUnit><AssemblySelectLimit>1000000</AssemblySelectLimit><Where>%s</Where></NUnit></RunSettings>' "$where" >"$work/settings"
  on_arm64 "$work/program/VaeFromScratch.Tests" --settings "$work/settings" --no-ansi --progress off --results-directory "$work/results"
}

# few FILE HEADER ITEM COUNT: the first images or labels of MNIST; all of its test images would take qemu minutes.
few() {
  local file=$1 header=$2 item=$3 count=$4
  mkdir -p "$work/data/mnist"
  gzip -dc "datasets/mnist/$file.gz" >"$work/whole"
  {
    head -c 4 "$work/whole"
    printf "\\x00\\x00\\x00\\x$(printf %02x "$count")"
    head -c $((header + count * item)) "$work/whole" | tail -c +9
  } >"$work/data/mnist/$file"
}

training() {
  local network file options
  few train-images-idx3-ubyte 16 784 200
  few train-labels-idx1-ubyte 8 1 200
  few t10k-images-idx3-ubyte 16 784 50
  few t10k-labels-idx1-ubyte 8 1 50
  export VAE_DATA=$work/data
  for network in conv:8,12 mlp:50,30; do
    options=(train --network "$network" --latents 5 --noise bernoulli --beta 0.5 --batch 20 --epochs 2 --report false --plain --device cpu --threads 2)
    DOTNET_PreferredVectorBitWidth=128 dotnet Cli/bin/Release/net10.0/vae.dll "${options[@]}" --out "$work/x86" >/dev/null
    on_arm64 "$work/program/vae" "${options[@]}" --out "$work/arm64" >/dev/null
    for file in model.safetensors evaluation.json influence.csv; do
      cmp "$work/x86/$file" "$work/arm64/$file"
    done
    echo "training: $network, 20 steps and their evaluation: the bits of x86 with 128-bit vectors"
    rm -r "$work/x86" "$work/arm64"
  done
}

dotnet publish Tests -c Release -r linux-arm64 --self-contained -o "$work/program" --nologo -v q \
  -p:EnableNUnitRunner=true -p:ValidateExecutableReferencesMatchSelfContained=false -p:PackAsTool=false -p:DebugType=none
sysroot
training &
training=$!
kernels || { wait $training; exit 1; }
wait $training
