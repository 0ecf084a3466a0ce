// The information estimator on the last hidden layer, products of operands rounded to bf16, sums in float32 and pairs of them: see heads.cuh.
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_bf16.cuh"

#define PRECISION bf16
template<int Rows, int Columns, int Width> using Tile = TileBf16<Rows, Columns, Width>;
#include "heads.cuh"
#endif
