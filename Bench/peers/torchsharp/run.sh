#!/bin/sh
# Runs LibTorch 2.10 through TorchSharp with the settings that make it fast; ../README.md says what each one is worth.
#   PEER_MALLOC    default: leave the C library's allocator as it is
#   PEER_ISA       avx2: limit ATen and oneDNN to it, as for rows of ours with 256-bit vectors
# TorchSharp's library asks for a C++ runtime newer than Debian 12's by one symbol: in the restored copy that need is marked weak, and a
# library with the symbol is loaded first. LibTorch itself stays as it was shipped. Debian 13 and Ubuntu 24.04 need neither.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/bin/Release/net10.0/linux-x64
if [ ! -f "$out/runtime.so" ] || [ "$here/Program.cs" -nt "$out/runtime.so" ]; then
  dotnet build -c Release --nologo -v q "$here/TorchSharpPeer.csproj" >&2
  python3 "$here/weaken.py" "$(find "$out" -name libLibTorchSharp.so | head -n 1)" >&2
  g++ -O2 -shared -fPIC -o "$out/runtime.so" "$here/runtime.cpp"
fi
if [ "${PEER_MALLOC:-}" != default ]; then
  export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_TOP_PAD_=268435456
fi
if [ "${PEER_ISA:-}" = avx2 ]; then
  export ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
fi
LD_PRELOAD=$out/runtime.so exec dotnet "$out/TorchSharpPeer.dll" "$@"
