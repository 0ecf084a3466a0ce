// Chains of links with operands in bf16, sums in float32: see chain.cuh.
#include "prelude.cuh"

#if HAS_CLUSTERS
#include "chain.cuh"

typedef RowsTensor<Bf16> Multiply;
CHAIN_KERNEL(bf16)
#endif
