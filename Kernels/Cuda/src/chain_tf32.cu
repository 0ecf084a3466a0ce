// Chains of links with operands in tf32, sums in float32: see chain.cuh.
#include "prelude.cuh"

#if HAS_CLUSTERS
#include "chain.cuh"

typedef RowsTensor Multiply;
CHAIN_KERNEL(tf32)
#endif
