// Chains of links with float32 throughout: see chain.cuh.
#include "prelude.cuh"

#if HAS_CLUSTERS
#include "chain.cuh"

typedef RowsFma Multiply;
CHAIN_KERNEL(fp32)
#endif
