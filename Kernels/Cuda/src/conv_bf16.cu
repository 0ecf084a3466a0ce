// Convolutions with operands in bf16, sums in float32; images and feature maps lie in memory as float32 or as bf16, which halves the bytes that bind a large batch.
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_bf16.cuh"

#define PRECISION bf16
template<int Rows, int Columns, int Width> using Tile = TileBf16<Rows, Columns, Width>;
#include "conv.cuh"
#endif
