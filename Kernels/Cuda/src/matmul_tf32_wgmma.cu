// Matrix products with operands in tf32 by wgmma, sums in float32, for compute capability 9.0: 128 x 256, 128 x 128 and 64 x 64 tiles, 64 rows of each by one warpgroup, vectors of four only.
// Ladder: mma.sync (matmul_tf32.cu) -> wgmma on tiles that pass through registers into its layout -> 128 x 256 tiles, which read less of them (this version). Counted in
// docs/cuda-kernels.md, section 3; which one is used is measured (tiles.csv). The copy engine could fill the tiles only where both operands run along k, and would not round them.
#include "prelude.cuh"

#if HAS_WGMMA
#include "gemm_warpgroup.cuh"

#define PRECISION tf32_wgmma
#define VECTORS_ONLY
template<int Rows, int Columns, int Width> using Tile = TileWarpgroup<WarpgroupTf32, Rows, Columns>;
#include "matmul.cuh"
#endif
