// Matrix products with operands in bf16 by wgmma, sums in float32, for compute capability 9.0: 128 x 256, 128 x 128 and 64 x 64 tiles, 64 rows of each by one warpgroup, vectors of four only.
// Ladder: mma.sync (matmul_bf16.cu) -> wgmma on tiles that pass through registers into its layout -> 128 x 256 tiles, which read less of them (this version). Counted in
// docs/cuda-kernels.md, section 3; which one is used is measured (tiles.csv). matmul_bf16_tma.cu has the same for operands that lie in memory as bf16.
#include "prelude.cuh"

#if HAS_WGMMA
#include "gemm_warpgroup.cuh"

#define PRECISION bf16_wgmma
#define VECTORS_ONLY
template<int Rows, int Columns, int Width> using Tile = TileWarpgroup<WarpgroupBf16, Rows, Columns>;
#include "matmul.cuh"
#endif
