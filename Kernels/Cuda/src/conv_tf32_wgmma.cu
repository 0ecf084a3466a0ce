// Convolutions with operands in tf32 by wgmma, sums in float32, for compute capability 9.0: 128 rows in two warpgroups, vectors of four only.
// Ladder: mma.sync (conv_tf32.cu) -> wgmma, the window's elements through registers into its swizzled layout (this version).
#include "prelude.cuh"

#if HAS_WGMMA
#include "gemm_warpgroup.cuh"

#define PRECISION tf32_wgmma
#define VECTORS_ONLY
template<int Rows, int Columns, int Width> using Tile = TileWarpgroup<WarpgroupTf32, Rows, Columns>;
#include "conv.cuh"
#endif
