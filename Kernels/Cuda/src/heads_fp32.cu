// The information estimator on the last hidden layer, in float32: see heads.cuh.
#include "gemm_fp32.cuh"

#define PRECISION fp32
template<int Rows, int Columns, int Width> using Tile = TileFp32<Rows, Columns, Width>;
#include "heads.cuh"
