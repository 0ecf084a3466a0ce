#!/bin/sh
# Runs torch_cpu.py with the settings that make PyTorch fast on a CPU; README.md beside this file says what each one is worth.
#   PEER_PYTHON    the interpreter that has torch (default: the distribution's python3)
#   PEER_BLAS      openblas-openmp (default), openblas-pthread, blis-openmp or reference
#   PEER_CORETYPE  OpenBLAS's kernels on a machine with AVX-512 (default SkylakeX; auto: the library's own choice)
#   PEER_ATEN      ATen's elementwise kernels there (default avx512)
#   PEER_MALLOC    default: leave the C library's allocator as it is
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PEER_PYTHON:-$(command -pv python3)}
blas=${PEER_BLAS:-openblas-openmp}

# Debian installs each BLAS in a folder of its own beside the one that is the system's choice.
libraries=$(dirname "$(ldconfig -p | sed -n 's/.*libblas\.so\.3 .*=> *//p' | head -n 1)")
[ "$blas" = reference ] && folder=$libraries/blas || folder=$libraries/$blas
if [ -d "$folder" ]; then
  LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export LD_LIBRARY_PATH
else
  echo "torch_cpu.sh: no $folder; PyTorch runs on the system's BLAS, which may be the slow reference one" >&2
fi

unset OPENBLAS_L2_SIZE OPENBLAS_CORETYPE
if grep -q avx512f /proc/cpuinfo 2>/dev/null; then
  [ "${PEER_CORETYPE:-}" = auto ] || export OPENBLAS_CORETYPE="${PEER_CORETYPE:-SkylakeX}"
  export ATEN_CPU_CAPABILITY="${PEER_ATEN:-avx512}"
fi

# Keep freed blocks in the heap: otherwise glibc maps and unmaps every activation above 128 KiB, and each step pays page faults.
if [ "${PEER_MALLOC:-}" != default ]; then
  export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_TOP_PAD_=268435456
fi
exec "$python" "$here/torch_cpu.py" "$@"
