// Matrix products in float32.
// Ladder: one sum a thread -> 128 x 128 tiles through shared memory, 8 x 8 sums a thread, the next step loaded while this one is used ->
// small products in 64 x 64 tiles with K shared among blocks, so that 100 x 256 x 1568 fills the card (this version).
#include "gemm_fp32.cuh"

#define PRECISION fp32
template<int Rows, int Columns, int Width> using Tile = TileFp32<Rows, Columns, Width>;
#include "matmul.cuh"
