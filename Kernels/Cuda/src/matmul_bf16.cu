// Matrix products with operands in bf16, sums in float32; each operand lies in memory as float32 or as bf16.
// Ladder: tf32 -> half as many mma.sync, each of twice the depth -> tiles in bf16 in shared memory, and activations stored in bf16 (this version).
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_bf16.cuh"

#define PRECISION bf16
template<int Rows, int Columns, int Width> using Tile = TileBf16<Rows, Columns, Width>;
#include "matmul.cuh"
#endif
