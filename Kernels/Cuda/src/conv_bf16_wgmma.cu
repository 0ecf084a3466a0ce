// Convolutions with operands in bf16 by wgmma, sums in float32, for compute capability 9.0: 128 rows in two warpgroups, vectors of four only.
// Ladder: mma.sync (conv_bf16.cu) -> wgmma, the window's elements through registers into its swizzled layout (this version).
#include "prelude.cuh"

#if HAS_WGMMA
#include "gemm_warpgroup.cuh"

#define PRECISION bf16_wgmma
#define VECTORS_ONLY
template<int Rows, int Columns, int Width> using Tile = TileWarpgroup<WarpgroupBf16, Rows, Columns>;
#include "conv.cuh"
#endif
