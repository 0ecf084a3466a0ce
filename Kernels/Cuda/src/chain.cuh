// A chain of links in one launch: the dense layers, the noise and their data gradients, where a batch has so few rows that each as a launch of its own leaves most of the card idle.
// A link is
//   a product            y = x w + bias, ReLU or not; or dx = g w^T, masked, added to what is there; of two heads at once, whose columns lie in two arrays each
//   reparameterise       z = mu + exp(log variance / 2) epsilon, and the KL of each row
//   its gradient
// A cluster of blocks takes 16 rows, one row of tensor-core tiles, through all links; its blocks share the columns of each. A link's results go to memory, where the backward pass
// wants them anyway, and after a barrier of the cluster the next link reads them back from the second-level cache. Rows of different clusters never meet, so no cluster waits for
// another, and they need not even run at the same time.
// In a block the warps share its columns, 32 to a warp, and what of them is left over K; their sums meet in shared memory and are added in order: the same bits each time.
//
// A weight is read once by each cluster and used by one lane of one warp: it goes from memory straight to registers, four floats at a time, of which a fragment of 32 columns by 16 k
// takes whole lines. The next ones are on their way while these are multiplied, the first ones of a link while its cluster waits. Only the 16 rows of x, which all warps need, are in
// shared memory.
//
// By counting, in clusters of 8 blocks, for the busiest of them (nothing here has been measured). It must fetch its columns of the weights and all 16 rows of x from the second-level cache, of
// which a multiprocessor gets at most 64 bytes a cycle (nominal, at 1.98 GHz):
//   link              KB     us     multiplications of 16 x 8 x 8
//   1568 to 256      294    2.4     784
//   256 to 2 x 128    48    0.4     128
//   128 to 256        24    0.2      64
//   256 to 1568      240    1.9     896    (49 units of 32 columns on 8 blocks: 7 for one, 6 for the others)
//   and to each a barrier and the trip of x from the cache: some 0.7 us, a guess
// Four tensor cores take about 6 cycles for a multiplication, 784 of them 0.6 us: bytes limit the two wide links, waiting the others. A launch of its own spreads a link over all
// multiprocessors and costs 2 to 3 us, a guess: a chain gains where links are small, and about nothing where a block must fetch some 320 KB, at which the host stops. 16 blocks to a cluster
// would help the last link only: 256 columns are 8 units.
// Ladder: a launch for each link -> this. Not done: x fetched once for all blocks of a cluster, 88 KB less of 294.
// Kernels: chain_PRECISION, for the file that includes this one and says
//   PRECISION      the end of the kernel's name
//   Multiply       how a warp multiplies: RowsFma or RowsTensor
#pragma once
#include "gemm.cuh"
#include "reparameterise.cuh"

constexpr int ChainRows = 16, ChainColumns = 32, ChainStep = 16, ChainWarps = 8, ChainSums = ChainRows * ChainColumns / 32, MostLinks = 8;

enum class LinkKind : int { Product, TransposedProduct, Reparameterise, ReparameterisationGradient };

// y [rows, n] = x [rows, k] w, w stored [k, n] or, transposed, [n, k]. n and k are multiples of 4 and every address is aligned. The output is the epilogue's.
struct LinkProduct {
    const float *x, *w;
    unsigned n, k;
    Columns of_x, of_w, of_y, of_bias;
    Epilogue e;
};

// As reparameterise and reparameterise_gradient in vae.cu take them.
struct LinkSample {
    const float *mu, *log_var;
    const unsigned* state;
    float *epsilon, *z, *kl;
    const float *gz, *gkl;
    float *dmu, *dlog_var;
    Divider h;
    unsigned draw;
    int accumulate;
};

struct Link {
    LinkKind kind;
    LinkProduct product;
    LinkSample sample;
};

struct Chain {
    unsigned rows, count;
    Link links[MostLinks];
};

// Floats from row to row of x in shared memory, where the 16-byte loads of a fragment fall into 32 banks.
DEVICE unsigned chain_line(unsigned k) { return (k + 31) / 32 * 32 + 16; }

// The weights that a lane has loaded ahead.
struct Weights {
    float4 in[4][4];
};

// The weights of four neighbouring columns, `column` to column + 3, and of k to k + 3: in[e][j] of row k + e where they are stored [k, n], in[j][e] where transposed. Behind the ends the
// last ones again, which are in the first-level cache by then: such columns are not stored, and what is multiplied with such k are zeros of x. Neither a branch nor a selection
// depends on what is loaded, so nothing waits for it before it is multiplied.
template<bool Transposed> DEVICE void load_weights(const LinkProduct& p, unsigned column, unsigned k, unsigned end, float4 (&in)[4])
{
    column = column < p.n ? column : p.n - 4;
    k = k < end ? k : end - 4;
    const float* const from = p.w + ((Transposed ? column : k) * p.of_w.line + p.of_w.at(Transposed ? k : column));
#pragma unroll
    for (int i = 0; i < 4; i++)
        in[i] = load4(from + i * p.of_w.line);
}

// The compiler may not move the loads above behind this, to where their values are used: they should be under way while something else is done.
DEVICE void loads_first() { asm volatile("" ::: "memory"); }

DEVICE float component(const float4& v, int i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

// What a warp computes of a product: 32 columns, and of K the steps of 16 from `first` to below `last`.
struct Part {
    unsigned column0, first, last;
    DEVICE_MEMBER unsigned end(const LinkProduct& p) const { return last == 0 ? 4 : last * ChainStep < p.k ? last * ChainStep : p.k; }
};

// A way for a warp to multiply 16 rows of x in shared memory with a part of the weights, which come in chunks of some steps:
//   load     a lane's weights of the chunk that begins at this step
//   add      the products of such a chunk, to a lane's sums
//   store    all sums, as [16, 32]
struct RowsFma {
    // A lane has rows 4 r to 4 r + 3 and columns 4 c to 4 c + 3.
    static DEVICE_MEMBER int row() { return threadIdx.x % 32 / 8 * 4; }
    static DEVICE_MEMBER int column() { return threadIdx.x % 8 * 4; }

    static constexpr int Chunk = 1;

    template<bool Transposed> static DEVICE_MEMBER void load(const LinkProduct& p, const Part& part, unsigned step, Weights& w)
    {
        const unsigned end = part.end(p);
#pragma unroll
        for (int a = 0; a < 4; a++)
            load_weights<Transposed>(p, part.column0 + column(), step * ChainStep + 4 * a, end, w.in[a]);
    }

    template<bool Transposed> static DEVICE_MEMBER void add(const LinkProduct& p, const Part&, unsigned step, const Weights& w, const float* x, float (&sums)[ChainSums])
    {
        const unsigned line = chain_line(p.k);
#pragma unroll
        for (int a = 0; a < 4; a++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float4 v = load4(x + (row() + i) * line + step * ChainStep + 4 * a);
#pragma unroll
                for (int e = 0; e < 4; e++)
#pragma unroll
                    for (int j = 0; j < 4; j++)
                        sums[4 * i + j] = fmaf(component(v, e), Transposed ? component(w.in[a][j], e) : component(w.in[a][e], j), sums[4 * i + j]);
            }
    }

    static DEVICE_MEMBER void store(const float (&sums)[ChainSums], float* to)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
            store4(to + (row() + i) * ChainColumns + column(), make_float4(sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]));
    }
};

#if HAS_TENSOR_CORES
// Four tiles of 16 x 8 side by side, in which a lane's numbers are chosen so that it loads neighbours: column g of tile j is column 4 g + j, and lane t of four has k 4 t to 4 t + 3 of a step
// of 16 (in which order the sums over k are made is all that changes by that).
DEVICE void multiply_step(const float4 (&x)[2], const float (&w)[4][4], float (&sums)[ChainSums])
{
#pragma unroll
    for (int half = 0; half < 4; half += 2) {
        const unsigned a[4] = {to_tf32(component(x[0], half)), to_tf32(component(x[1], half)), to_tf32(component(x[0], half + 1)), to_tf32(component(x[1], half + 1))};
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const unsigned b[2] = {to_tf32(w[half][j]), to_tf32(w[half + 1][j])};
            mma_tf32(reinterpret_cast<float(&)[4]>(sums[4 * j]), a, b);
        }
    }
}

struct RowsTensor {
    static DEVICE_MEMBER int g() { return threadIdx.x % 32 / 4; }
    static DEVICE_MEMBER int t() { return threadIdx.x % 4; }

    // A warp waits for 8 KB at a time, a block for 64 KB.
    static constexpr int Chunk = 4;

    template<bool Transposed> static DEVICE_MEMBER void load(const LinkProduct& p, const Part& part, unsigned step, Weights& w)
    {
        const unsigned end = part.end(p);
#pragma unroll
        for (int s = 0; s < Chunk; s++)
            load_weights<Transposed>(p, part.column0 + 4 * g(), (step + s) * ChainStep + 4 * t(), end, w.in[s]);
    }

    template<bool Transposed> static DEVICE_MEMBER void add(const LinkProduct& p, const Part& part, unsigned step, const Weights& w, const float* x, float (&sums)[ChainSums])
    {
        const unsigned line = chain_line(p.k);
#pragma unroll
        for (int s = 0; s < Chunk; s++)
            if (step + s < part.last) {
                const float* const from = x + g() * line + (step + s) * ChainStep + 4 * t();
                const float4 rows[2] = {load4(from), load4(from + 8 * line)};
                float columns[4][4];
#pragma unroll
                for (int e = 0; e < 4; e++)
#pragma unroll
                    for (int j = 0; j < 4; j++)
                        columns[e][j] = Transposed ? component(w.in[s][j], e) : component(w.in[s][e], j);
                multiply_step(rows, columns, sums);
            }
    }

    static DEVICE_MEMBER void store(const float (&sums)[ChainSums], float* to)
    {
#pragma unroll
        for (int i = 0; i < 4; i++)
            store4(to + (g() + i / 2 * 8) * ChainColumns + 4 * (2 * t() + i % 2), make_float4(sums[i], sums[4 + i], sums[8 + i], sums[12 + i]));
    }
};
#endif

// The 16 rows of x from row0 on, zeros behind its ends, into shared memory. That other blocks wrote them before the cluster's barrier, whose acquire is for all that is read after it.
DEVICE void fetch_rows(const LinkProduct& p, unsigned row0, unsigned rows, float* x)
{
    const unsigned line = chain_line(p.k), end = (p.k + ChainStep - 1) / ChainStep * ChainStep;
    for (unsigned row = threadIdx.x / 32; row < ChainRows; row += ChainWarps)
        for (unsigned k = threadIdx.x % 32 * 4; k < end; k += 4 * 32) {
            const bool valid = row0 + row < rows && k < p.k;
            copy_async<4>(x + row * line + k, valid ? p.x + (size_t)(row0 + row) * p.of_x.line + p.of_x.at(k) : p.x, valid);
        }
    copy_async_commit();
    copy_async_wait<0>();
}

// This block's columns of a product: units of 32, dealt out to the blocks of the cluster in turn. They are computed in rounds, in which each warp has a unit, or a slice of K of one
// where there are more warps than units.
struct UnitsOfBlock {
    unsigned mine, steps, rank, blocks;
    DEVICE_MEMBER UnitsOfBlock(const LinkProduct& p) : steps((p.k + ChainStep - 1) / ChainStep), rank(cluster_rank()), blocks(cluster_size())
    {
        const unsigned all = (p.n + ChainColumns - 1) / ChainColumns;
        mine = rank < all ? (all - rank + blocks - 1) / blocks : 0;
    }
    DEVICE_MEMBER unsigned units(unsigned begin) const { return mine - begin < ChainWarps ? mine - begin : ChainWarps; }
    DEVICE_MEMBER unsigned column(unsigned unit) const { return (rank + unit * blocks) * ChainColumns; }

    // Of this warp in the round that begins with this unit; empty where it has nothing to do.
    DEVICE_MEMBER Part part(unsigned begin) const
    {
        if (begin >= mine)
            return Part{0, 0, 0};
        const unsigned warp = threadIdx.x / 32, slices = ChainWarps / units(begin), each = (steps + slices - 1) / slices, first = warp % slices * each;
        return warp < units(begin) * slices && first < steps ? Part{column(begin + warp / slices), first, first + each < steps ? first + each : steps} : Part{0, 0, 0};
    }
};

template<class Multiply, bool Transposed> DEVICE void load_first(const LinkProduct& p, unsigned begin, Weights& w)
{
    const Part part = UnitsOfBlock(p).part(begin);
    Multiply::template load<Transposed>(p, part, part.first, w);
}

// The first chunk of a link's weights, which do not depend on the links before it.
template<class Multiply> DEVICE void load_ahead(const Link& link, Weights& w)
{
    if (link.kind == LinkKind::Product)
        load_first<Multiply, false>(link.product, 0, w);
    else if (link.kind == LinkKind::TransposedProduct)
        load_first<Multiply, true>(link.product, 0, w);
    loads_first();
}

// w: the first chunk of the weights.
template<class Multiply, bool Transposed> DEVICE void link_product(const LinkProduct& p, unsigned row0, unsigned rows, Weights& w, float* x, float* partial)
{
    const UnitsOfBlock share(p);
    if (share.mine == 0)
        return;
    fetch_rows(p, row0, rows, x);
    __syncthreads();
    for (unsigned begin = 0; begin < share.mine; begin += ChainWarps) {
        const unsigned units = share.units(begin), slices = ChainWarps / units;
        const Part part = share.part(begin);
        float sums[ChainSums];
#pragma unroll
        for (int i = 0; i < ChainSums; i++)
            sums[i] = 0.0f;
        for (unsigned step = part.first; step < part.last; step += Multiply::Chunk) {
            Weights next = w;
            if (step + Multiply::Chunk < part.last)
                Multiply::template load<Transposed>(p, part, step + Multiply::Chunk, next);
            loads_first();
            Multiply::template add<Transposed>(p, part, step, w, x, sums);
            w = next;
        }
        Multiply::store(sums, partial + threadIdx.x / 32 * (ChainRows * ChainColumns));
        __syncthreads();
        for (unsigned v = threadIdx.x; v < units * ChainRows * (ChainColumns / 4); v += 32 * ChainWarps) {
            const unsigned unit = v / (ChainRows * ChainColumns / 4), within = v % (ChainRows * ChainColumns / 4) * 4;
            const unsigned row = row0 + within / ChainColumns, column = share.column(begin + unit) + within % ChainColumns;
            const float* from = partial + unit * slices * (ChainRows * ChainColumns) + within;
            float4 sum = load4(from);
            for (unsigned s = 1; s < slices; s++) {
                const float4 more = load4(from + s * (ChainRows * ChainColumns));
                sum = make_float4(sum.x + more.x, sum.y + more.y, sum.z + more.z, sum.w + more.w);
            }
            if (row < rows && column < p.n)
                finish_four<false>(p.e, (size_t)row * p.of_y.line + p.of_y.at(column), p.of_bias.at(column), sum);
        }
        if (begin + ChainWarps < share.mine) {
            load_first<Multiply, Transposed>(p, begin + ChainWarps, w);
            __syncthreads();
        }
    }
}

// A warp has a row: its KL is summed in pairs of floats, by each lane and then over the lanes.
DEVICE void link_reparameterise(const LinkSample& s, unsigned row0, unsigned rows)
{
    const unsigned quads = s.h.divisor / 4, blocks = cluster_size();
    for (unsigned i = cluster_rank() + blocks * (threadIdx.x / 32); i < ChainRows && row0 + i < rows; i += blocks * ChainWarps) {
        const unsigned row = row0 + i;
        float2 state = SumState::identity();
        for (unsigned q = threadIdx.x % 32; q < quads; q += 32)
            state = SumState::add(state, reparameterise_four(s.mu, s.log_var, s.state, s.draw, row * quads + q, s.epsilon, s.z));
        for (int lanes = 16; lanes > 0; lanes /= 2)
            state = SumState::merge(state, make_float2(__shfl_xor_sync(ALL_LANES, state.x, lanes), __shfl_xor_sync(ALL_LANES, state.y, lanes)));
        if (threadIdx.x % 32 == 0)
            s.kl[row] = 0.5f * SumState::value(state);
    }
}

DEVICE void link_reparameterisation_gradient(const LinkSample& s, unsigned row0, unsigned rows)
{
    const unsigned h = s.h.divisor, count = (rows - row0 < ChainRows ? rows - row0 : ChainRows) * h;
    for (unsigned i = cluster_rank() * blockDim.x + threadIdx.x; i < count; i += cluster_size() * blockDim.x)
        reparameterise_gradient_element(row0 * h + i, row0 + s.h.divide(i), s.gz, s.gkl, s.mu, s.log_var, s.epsilon, s.dmu, s.dlog_var, s.accumulate);
}

// floats_of_x: 16 lines of the longest x there may be; behind them in shared memory are the warps' sums.
template<class Multiply> DEVICE void run_chain(const Chain& chain, unsigned floats_of_x, float* shared)
{
    const unsigned row0 = blockIdx.x / cluster_size() * ChainRows;
    Weights w = {};
    load_ahead<Multiply>(chain.links[0], w);
    for (unsigned l = 0; l < chain.count; l++) {
        const LinkKind kind = chain.links[l].kind;
        if (kind == LinkKind::Product)
            link_product<Multiply, false>(chain.links[l].product, row0, chain.rows, w, shared, shared + floats_of_x);
        else if (kind == LinkKind::TransposedProduct)
            link_product<Multiply, true>(chain.links[l].product, row0, chain.rows, w, shared, shared + floats_of_x);
        else if (kind == LinkKind::Reparameterise)
            link_reparameterise(chain.links[l].sample, row0, chain.rows);
        else
            link_reparameterisation_gradient(chain.links[l].sample, row0, chain.rows);
        if (l + 1 == chain.count)
            break;
        cluster_arrive();
        load_ahead<Multiply>(chain.links[l + 1], w);
        cluster_wait();
    }
}

#define CHAIN_KERNEL(precision) CHAIN_KERNEL_NAMED(chain_##precision)
#define CHAIN_KERNEL_NAMED(name)                                                                       \
    KERNEL __launch_bounds__(32 * ChainWarps) name(Chain chain, unsigned floats_of_x)                  \
    {                                                                                                  \
        AFTER_EARLIER_KERNELS();                                                                       \
        DYNAMIC_SHARED(shared);                                                                        \
        run_chain<Multiply>(chain, floats_of_x, shared);                                               \
    }                                                                                                  \
    EXPORT(name)
