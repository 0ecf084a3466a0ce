// Convolutions in float32.
// Ladder: im2col and a product (9 to 16 times the bytes of x written and read) -> implicit, tiles of 128 pixels x 32 or 64 channels (this version).
#include "gemm_fp32.cuh"

#define PRECISION fp32
template<int Rows, int Columns, int Width> using Tile = TileFp32<Rows, Columns, Width>;
#include "conv.cuh"
