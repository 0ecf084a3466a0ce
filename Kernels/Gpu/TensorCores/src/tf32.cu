// Matrix products and convolutions with operands rounded to tf32, sums in float32.
#include "tile_tf32.cuh"

#define PRECISION tf32
template<int Rows, int Columns, int Width> using Tile = TileTf32<Rows, Columns, Width>;
#include "matmul.cuh"
#include "conv.cuh"
