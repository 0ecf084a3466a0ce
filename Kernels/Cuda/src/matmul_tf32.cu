// Matrix products with operands in tf32, sums in float32.
// Ladder: fp32 -> mma.sync with three stages of asynchronous copies, 128 x 128 tiles of 64 x 32 a warp -> small products in 64 x 64 tiles with K shared among blocks
// (this version). On compute capability 9.0 mma.sync reaches a part of the tensor cores' rate only; wgmma fed by the copy engine would be the next step there.
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_tf32.cuh"

#define PRECISION tf32
template<int Rows, int Columns, int Width> using Tile = TileTf32<Rows, Columns, Width>;
#include "matmul.cuh"
#endif
