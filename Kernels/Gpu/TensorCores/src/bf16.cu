// Matrix products and convolutions with operands rounded to bf16, sums in float32.
#include "tile_bf16.cuh"

#define PRECISION bf16
template<int Rows, int Columns, int Width> using Tile = TileBf16<Rows, Columns, Width>;
#include "matmul.cuh"
#include "conv.cuh"
