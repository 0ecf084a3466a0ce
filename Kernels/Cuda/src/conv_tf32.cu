// Convolutions with operands in tf32, sums in float32. At 32 to 64 channels a launch has 10 to 60 operations a byte, so the memory's rate is the limit here.
// Ladder: fp32 -> mma.sync, the window's elements copied asynchronously straight from the image, zeros outside it from the copy itself (this version).
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_tf32.cuh"

#define PRECISION tf32
template<int Rows, int Columns, int Width> using Tile = TileTf32<Rows, Columns, Width>;
#include "conv.cuh"
#endif
