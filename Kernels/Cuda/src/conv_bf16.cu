// Convolutions with operands rounded to bf16 on their way from shared memory to the tensor cores, sums in float32: memory holds and moves float32.
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_bf16.cuh"

#define PRECISION bf16
template<int Rows, int Columns, int Width> using Tile = TileBf16<Rows, Columns, Width>;
#include "conv.cuh"
#endif
