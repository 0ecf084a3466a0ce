// The information estimator on the last hidden layer, products in tf32, sums in float32 and pairs of them: see heads.cuh.
#include "prelude.cuh"

#if HAS_TENSOR_CORES
#include "gemm_tf32.cuh"

#define PRECISION tf32
template<int Rows, int Columns, int Width> using Tile = TileTf32<Rows, Columns, Width>;
#include "heads.cuh"
#endif
