// Native checks of the kernels on the emulator, without .NET, so that sanitizers can be built in:
//   checks run         every case in every thread order, on one and on two OS threads: the same bits each time
//   checks mistakes    deliberately wrong kernels are reported
//   checks mutation N  the Nth __syncthreads or cluster_wait is taken out: other bits in some order, a broken rule, or (in a ThreadSanitizer build) a race; 3 when there are not so many
#include "chain.cuh"
#include "scheduler.h"
#include "copy_engine.h"
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <sys/time.h>
#include <unistd.h>
#include <vector>

using emulator::Order;

#if defined(VAE_THREAD_SANITIZER)
static std::atomic<long> races;
extern "C" void __tsan_on_report(void*) { races++; }
extern "C" const char* __tsan_default_options() { return "report_thread_leaks=0:exitcode=0:log_path=/dev/null:symbolize=0"; }
static long race_count() { return races; }
#else
static long race_count() { return 0; }
#endif

namespace {

typedef unsigned long long Hash;

// What went wrong in the case at hand; empty when nothing did.
std::string broken;

Divider divider(unsigned d)
{
    if (d == 1)
        return {1, 0, 0};
    const unsigned bits = 32 - __builtin_clz(d - 1);
    return {d, (unsigned)((1ull << (31 + bits)) / d + 1), bits - 1};
}

// Device memory, 64-byte aligned; sanitizers watch its ends.
struct Buffer {
    std::shared_ptr<float> memory;
    size_t n;
    explicit Buffer(size_t n) : memory((float*)aligned_alloc(64, (n * 4 + 63) & ~(size_t)63), free), n(n)
    {
        for (size_t i = 0; i < n; i++)
            memory.get()[i] = (float)((i * 2654435761u >> 8) & 0xffff) / 32768.0f - 1.0f;
    }
    float* p() const { return memory.get(); }
    unsigned* words() const { return (unsigned*)memory.get(); }
};

Hash hash_of(std::initializer_list<Buffer> outputs)
{
    Hash h = 1469598103934665603ull;
    for (const Buffer& b : outputs)
        for (size_t i = 0; i < b.n * 4; i++)
            h = (h ^ ((const unsigned char*)b.p())[i]) * 1099511628211ull;
    return h;
}

Buffer zeros(size_t n)
{
    Buffer b(n);
    memset(b.p(), 0, n * 4);
    return b;
}

Buffer random_state()
{
    Buffer state(4);
    const unsigned words[4] = {123, 456, 7, 1};
    memcpy(state.p(), words, sizeof words);
    return state;
}

// In clusters of so many blocks.
template<class... A> bool launch_clusters(unsigned cluster, const char* name, dim3 grid, dim3 block, size_t shared, A... arguments)
{
    emulator::Kernel* kernel = emulator::find(name);
    if (!kernel || kernel->parameters != (int)sizeof...(A)) {
        fprintf(stderr, "checks: %s has other parameters than this file thinks\n", name);
        exit(2);
    }
    const size_t sizes[] = {sizeof(A)...};
    for (int i = 0; i < kernel->parameters; i++)
        if (sizes[i] != kernel->size[i]) {
            fprintf(stderr, "checks: parameter %d of %s has another size\n", i, name);
            exit(2);
        }
    void* pointers[] = {(void*)&arguments...};
    if (emulator::launch(kernel, grid, block, shared, cluster, pointers, true))
        return true;
    if (broken.empty())
        broken = emulator::last_error();
    return false;
}

template<class... A> bool launch(const char* name, dim3 grid, dim3 block, size_t shared, A... arguments) { return launch_clusters(1, name, grid, block, shared, arguments...); }

// Blocks that share a tile and are added up together first.
constexpr unsigned BlocksOfGroup = 2;

Epilogue epilogue(const Buffer& c, const Buffer& bias, const Buffer& partial, const Buffer& tickets, unsigned steps, bool vectors)
{
    Epilogue e = {};
    e.c = c.p(), e.bias = bias.p(), e.partial = partial.p(), e.tickets = tickets.words(), e.steps = steps, e.group = BlocksOfGroup, e.relu = 1, e.vectors = vectors;
    return e;
}

// Of blocks that share a tile: room for their sums and for those of their groups, in tiles, and tickets for each tile.
constexpr unsigned shares(unsigned sharing) { return sharing + (sharing + BlocksOfGroup - 1) / BlocksOfGroup; }
constexpr unsigned tickets_of(unsigned sharing) { return 1 + (sharing + BlocksOfGroup - 1) / BlocksOfGroup; }

// The columns of g [rows, columns] are summed by extra blocks of the launch.
struct Sums {
    Buffer g, out, partial, tickets;
    ColumnSums arguments;
    Sums(unsigned rows, unsigned columns, unsigned width, unsigned first_block, unsigned sharing) : g(rows * columns), out(zeros(columns)), partial(zeros(2 * sharing * columns)), tickets(zeros(columns))
    {
        arguments = {g.p(), out.p(), (float2*)partial.p(), tickets.words(), rows, columns, width, first_block, 0, 0, Columns::of_one(columns), Columns::of_one(columns)};
    }
    unsigned blocks() const { return (arguments.columns + arguments.width - 1) / arguments.width; }
};

Hash matmul(const char* kernel, unsigned m, unsigned n, unsigned k, unsigned tile, unsigned depth, unsigned threads, size_t shared, unsigned sharing)
{
    Buffer a(m * k), b(k * n), bias(n), c = zeros(m * n);
    const unsigned tiles = (m + tile - 1) / tile * ((n + tile - 1) / tile), steps = (k + depth - 1) / depth;
    Buffer partial = zeros((size_t)tiles * shares(sharing) * tile * tile), tickets = zeros(tiles * tickets_of(sharing));
    const Epilogue e = epilogue(c, bias, partial, tickets, (steps + sharing - 1) / sharing, n % 4 == 0);
    const bool transposed_a = strstr(kernel, "_tn_") || strstr(kernel, "_tt_"), transposed_b = strstr(kernel, "_nt_") || strstr(kernel, "_tt_");
    const ProductShape shape = {m, n, k, Columns::of_one(transposed_a ? m : k), Columns::of_one(transposed_b ? k : n), Columns::of_one(n), Columns::of_one(0)};
    if (!strstr(kernel, "_tn_")) {
        launch(kernel, {tiles, sharing, 1}, {threads, 1, 1}, shared, a.p(), b.p(), shape, e);
        return hash_of({c, tickets});
    }
    const Sums sums(k, n, 32, tiles, sharing);
    launch(kernel, {tiles + sums.blocks(), sharing, 1}, {threads, 1, 1}, shared, a.p(), b.p(), shape, e, sums.arguments);
    return hash_of({c, tickets, sums.out, sums.tickets});
}

// Two heads on one layer: forward, and their weight and bias gradients.
Hash heads(const char* forward, const char* backward, unsigned rows, unsigned inputs, unsigned outputs, size_t shared_forward, size_t shared_backward)
{
    Buffer x(rows * inputs), w0(inputs * outputs), w1(inputs * outputs), b0(outputs), b1(outputs), y0 = zeros(rows * outputs), y1 = zeros(rows * outputs), dw0 = zeros(w0.n), dw1 = zeros(w1.n), db0 = zeros(outputs), db1 = zeros(outputs);
    const auto both = [&](const Buffer& first, const Buffer& second) { return Columns{outputs, outputs, (second.p() - first.p()) - (long long)outputs}; };
    const auto tiles = [](unsigned m, unsigned n) { return (m + 63) / 64 * ((n + 63) / 64); };
    Buffer none = zeros(1), tickets = zeros(1);
    Epilogue e = epilogue(y0, b0, none, tickets, (inputs + 15) / 16, outputs % 4 == 0);
    launch(forward, {tiles(rows, 2 * outputs), 1, 1}, {128, 1, 1}, shared_forward, x.p(), w0.p(), ProductShape{rows, 2 * outputs, inputs, Columns::of_one(inputs), both(w0, w1), both(y0, y1), both(b0, b1)}, e);
    Sums sums(1, 2 * outputs, 32, tiles(inputs, 2 * outputs), 1);
    sums.arguments.g = y0.p(), sums.arguments.out = db0.p(), sums.arguments.rows = rows;
    sums.arguments.of_g = both(y0, y1), sums.arguments.of_out = both(db0, db1);
    e = epilogue(dw0, none, none, tickets, (rows + 15) / 16, outputs % 4 == 0);
    e.bias = nullptr;
    launch(backward, {tiles(inputs, 2 * outputs) + sums.blocks(), 1, 1}, {128, 1, 1}, shared_backward, x.p(), y0.p(), ProductShape{inputs, 2 * outputs, rows, Columns::of_one(inputs), both(y0, y1), both(dw0, dw1), Columns::of_one(0)}, e, sums.arguments);
    return hash_of({y0, y1, dw0, dw1, db0, db1});
}

// As heads.cuh's.
struct HeadMoments {
    unsigned rows, inputs, h;
    long long jump;
    float *mu_bias, *log_var_bias, *sums, *indicators;
    float4* partial;
    unsigned* tickets;
    float inverse_points;
};

Hash head_moments(const char* kernel, unsigned rows, unsigned inputs, unsigned h, size_t shared, unsigned sharing)
{
    Buffer x(rows * inputs), w0(inputs * h), w1(inputs * h), b0(h), b1(h), sums = zeros(8 * h), indicators = zeros(6 * h), partial = zeros(2 * sharing * 64 * 4), tickets = zeros(2);
    const HeadMoments m = {rows, inputs, h, w1.p() - w0.p(), b0.p(), b1.p(), sums.p(), indicators.p(), (float4*)partial.p(), tickets.words(), 1.0f / rows};
    launch(kernel, {(2 * h + 63) / 64, sharing, 1}, {128, 1, 1}, shared, x.p(), w0.p(), m);
    return hash_of({sums, indicators, tickets});
}

Hash convolution(const char* kernel, int direction, unsigned in, unsigned out, size_t shared, unsigned columns, unsigned sharing)
{
    ConvGeometry g = {3, 9, 10, in, out, 4, 4, 2, 1, 4, 5, divider(direction == 1 ? out : in), divider(5), divider(4)};
    Buffer x(3 * 9 * 10 * in), w(16 * in * out), y(3 * 4 * 5 * out), bias(64), c = zeros(direction == 0 ? y.n : direction == 1 ? x.n : w.n);
    const unsigned rows = direction == 0 ? 60 : direction == 1 ? 3 * 5 * 5 : 16 * in, width = direction == 1 ? in : out;
    const bool by_warpgroups = strstr(kernel, "_wgmma");
    const unsigned k = direction == 0 ? 16 * in : direction == 1 ? 4 * out : 60, depth = strstr(kernel, "bf16") ? 64 : by_warpgroups ? 32 : 16, steps = (k + depth - 1) / depth;
    const unsigned tiles = (rows + 127) / 128 * ((width + columns - 1) / columns), classes = direction == 1 ? 4 : 1;
    Buffer partial = zeros((size_t)tiles * classes * shares(sharing) * 128 * columns), tickets = zeros(tiles * classes * tickets_of(sharing));
    const Epilogue e = epilogue(c, bias, partial, tickets, (steps + sharing - 1) / sharing, width % 4 == 0);
    const dim3 grid = {tiles, sharing, classes}, block = {by_warpgroups ? 256 : 4 * columns, 1, 1};
    if (direction == 2) {
        const Sums sums(270, in, in == 3 ? 4 : in, tiles, sharing);
        launch(kernel, {tiles + sums.blocks(), sharing, 1}, block, shared, x.p(), y.p(), g, e, sums.arguments);
        return hash_of({c, sums.out, sums.tickets});
    }
    launch(kernel, grid, block, shared, direction == 0 ? x.p() : y.p(), w.p(), g, e);
    return hash_of({c});
}

// Two linear layers with two heads and the noise between them, and back: every kind of link, in clusters of two blocks.
Hash chain(const char* kernel)
{
    constexpr unsigned Rows = 20, Inputs = 40, Hidden = 72, Factors = 36, Outputs = 544, FloatsOfX = ChainRows * (Outputs + 32 + 16);
    const auto matrix = [](unsigned columns) { return Buffer((size_t)Rows * columns); };
    const auto one = [](unsigned line) { return Columns::of_one(line); };
    const auto both = [](const Buffer& first, const Buffer& second, unsigned line) { return Columns{line, line, (second.p() - first.p()) - (long long)line}; };
    Buffer x = matrix(Inputs), w1(Inputs * Hidden), b1(Hidden), h = zeros(Rows * Hidden), wm(Hidden * Factors), wv(Hidden * Factors), bm(Factors), bv(Factors), mu = zeros(Rows * Factors), lv = zeros(Rows * Factors);
    Buffer e = zeros(Rows * Factors), z = zeros(Rows * Factors), kl = zeros(Rows), w2(Factors * Outputs), b2(Outputs), y = zeros(Rows * Outputs), dz = zeros(Rows * Factors), dmu(Rows * Factors), dlv(Rows * Factors), dh = matrix(Hidden), state = random_state();
    const auto output = [](const Buffer& c, const float* bias, const float* mask, int relu, int accumulate) { return Epilogue{c.p(), bias, mask, nullptr, nullptr, 0, 1, relu, accumulate, 1, 0}; };
    const auto noise = [&](LinkKind kind) {
        return Link{kind, {}, {mu.p(), lv.p(), state.words(), e.p(), z.p(), kl.p(), dz.p(), kl.p(), dmu.p(), dlv.p(), divider(Factors), 3, 1}};
    };
    const Chain links = {Rows, 7, {
        Link{LinkKind::Product, {x.p(), w1.p(), Hidden, Inputs, one(Inputs), one(Hidden), one(Hidden), one(Hidden), output(h, b1.p(), nullptr, 1, 0)}, {}},
        Link{LinkKind::Product, {h.p(), wm.p(), 2 * Factors, Hidden, one(Hidden), both(wm, wv, Factors), both(mu, lv, Factors), both(bm, bv, Factors), output(mu, bm.p(), nullptr, 0, 0)}, {}},
        noise(LinkKind::Reparameterise),
        Link{LinkKind::Product, {z.p(), w2.p(), Outputs, Factors, one(Factors), one(Outputs), one(Outputs), one(Outputs), output(y, b2.p(), nullptr, 0, 0)}, {}},
        Link{LinkKind::TransposedProduct, {y.p(), w2.p(), Factors, Outputs, one(Outputs), one(Outputs), one(Factors), one(Factors), output(dz, nullptr, mu.p(), 0, 0)}, {}},
        noise(LinkKind::ReparameterisationGradient),
        Link{LinkKind::TransposedProduct, {dmu.p(), wm.p(), Hidden, 2 * Factors, both(dmu, dlv, Factors), both(wm, wv, Factors), one(Hidden), one(Hidden), output(dh, nullptr, h.p(), 0, 1)}, {}},
    }};
    launch_clusters(2, kernel, {4, 1, 1}, {32 * ChainWarps, 1, 1}, 4 * (FloatsOfX + ChainWarps * ChainRows * ChainColumns), links, FloatsOfX);
    return hash_of({h, mu, lv, e, z, kl, y, dz, dmu, dlv, dh});
}

// rows x columns small whole numbers in bf16, whose products and sums are exact.
struct WholeNumbers {
    unsigned rows, columns;
    Buffer words;
    WholeNumbers(unsigned rows, unsigned columns) : rows(rows), columns(columns), words(rows * columns / 2)
    {
        for (unsigned i = 0; i < rows * columns; i++)
            ((unsigned short*)words.p())[i] = (unsigned short)(__float_as_uint((float)(i * 7 % 11) - 5.0f) >> 16);
    }
    float at(unsigned row, unsigned column) const
    {
        return row < rows && column < columns ? __uint_as_float((unsigned)((unsigned short*)words.p())[row * columns + column] << 16) : 0.0f;
    }
    TensorMap map(unsigned boxRows) const
    {
        TensorMap map;
        const uint64_t sizes[2] = {columns, rows}, strides[1] = {2 * columns};
        const unsigned box[2] = {64, boxRows}, ones[2] = {1, 1};
        if (!emulator::encode_matrix(&map, 9, 2, words.p(), sizes, strides, box, ones, 0, 3, 0, 0))
            broken = "a tensor map was refused";
        return map;
    }
};

constexpr size_t SquareShared = 1024 + 2 * 64 * 128 + 16;

// The square of 64 rows from `first` on, by the copy engine; the last ones and the end of the last box lie outside the matrix.
Hash square_by_copies(unsigned rows, unsigned k, unsigned first)
{
    const WholeNumbers x(rows, k);
    Buffer out = zeros(64 * 64);
    launch("square_by_copies", {1, 1, 1}, {128, 1, 1}, SquareShared, x.map(64), first, k, out.p());
    for (unsigned i = 0; i < 64 && broken.empty(); i++)
        for (unsigned j = 0; j < 64; j++) {
            float expected = 0;
            for (unsigned c = 0; c < k; c++)
                expected += x.at(first + i, c) * x.at(first + j, c);
            if (out.p()[i * 64 + j] != expected)
                broken = "the square by the copy engine is wrong";
        }
    return hash_of({out});
}

// A product by wgmma of bf16 in memory, copied or through registers: the same bits. B is float32 but in a weight gradient.
Hash copied_product(const std::string& layout, unsigned m, unsigned n, unsigned k, unsigned rows, unsigned columns, unsigned sharing)
{
    const bool across = layout == "tn";
    const WholeNumbers a(across ? k : m, across ? m : k), b(k, n);
    const Buffer floats(k * n);
    const unsigned tiles = (m + rows - 1) / rows * ((n + columns - 1) / columns), steps = (k + 63) / 64;
    const std::string name = "matmul_" + layout + "_" + std::to_string(rows) + "x" + std::to_string(columns) + "_v4_bf16_";
    const ProductShape shape = {m, n, k, Columns::of_one(across ? m : k), Columns::of_one(layout == "nt" ? k : n), Columns::of_one(n), Columns::of_one(n)};
    const dim3 block = {rows / 64 * 128, 1, 1};
    Hash hashes[2];
    for (const bool copies : {false, true}) {
        const Sums sums(k, n, 32, tiles, sharing);
        const dim3 grid = {tiles + (across ? sums.blocks() : 0), sharing, 1};
        const size_t shared = 3 * 128 * (rows + columns) + 1024 + (copies ? 24 : 0);
        const Buffer c = zeros(m * n), bias(n), partial = zeros((size_t)tiles * shares(sharing) * rows * columns), tickets = zeros(tiles * tickets_of(sharing));
        Epilogue e = epilogue(c, bias, partial, tickets, (steps + sharing - 1) / sharing, true);
        e.halves = HalfA | (across ? HalfB : 0);
        const std::string kernel = name + (copies ? "tma" : "wgmma");
        if (across && copies)
            launch(kernel.c_str(), grid, block, shared, a.map(64), b.map(64), shape, e, sums.arguments);
        else if (across)
            launch(kernel.c_str(), grid, block, shared, a.words.p(), b.words.p(), shape, e, sums.arguments);
        else if (copies)
            launch(kernel.c_str(), grid, block, shared, a.map(rows), floats.p(), shape, e);
        else
            launch(kernel.c_str(), grid, block, shared, a.words.p(), floats.p(), shape, e);
        hashes[copies] = hash_of({c, sums.out});
    }
    if (hashes[0] != hashes[1] && broken.empty())
        broken = name + "tma has other bits than the kernel through registers";
    return hashes[1];
}

struct Case {
    const char* name;
    std::function<Hash()> run;
};

constexpr size_t TensorAlong = 4 * 3 * (64 * 20), TensorAcross = 4 * 3 * (16 * 72);

// Bytes of shared memory of an fp32 kernel: two stages, lines padded where they run along k.
constexpr size_t fp32_shared(size_t depth, size_t lines) { return 4 * 2 * depth * lines; }

// The finished tile passes through the same memory, which is what a large tile needs.
constexpr size_t finished_shared(size_t rows, size_t columns) { return 4 * rows * columns; }

// Of a kernel by wgmma: three stages of lines of 128 bytes, and room to begin at a multiple of 1 024.
constexpr size_t warpgroup_shared(size_t lines) { return 3 * 128 * lines + 1024; }

const std::vector<Case> cases = {
    {"fill, copy, gather", [] {
        Buffer a = zeros(1003), b(1003), c = zeros(1003), indices = zeros(4), rows = zeros(4 * 70);
        const int order[4] = {3, 0, 2, 3};
        memcpy(indices.p(), order, sizeof order);
        launch("fill", {3, 1, 1}, {256, 1, 1}, 0, a.p(), 1003u, 2.5f);
        launch("copy_block", {3, 1, 1}, {256, 1, 1}, 0, b.p(), c.p(), 300u, divider(30), 100u, 90u, 1);
        launch("gather_rows", {4, 1, 1}, {256, 1, 1}, 0, b.p(), (int*)indices.p(), 70u, rows.p());
        return hash_of({a, c, rows});
    }},
    {"elementwise", [] {
        Buffer x(1001), y = zeros(1001), dx(1001), b(77), z = zeros(1001), db = zeros(77), partial = zeros(4 * 77 * 2), tickets = zeros(8);
        launch("tanh_forward", {2, 1, 1}, {256, 1, 1}, 0, x.p(), y.p(), 1001u, 0.0f);
        launch("tanh_gradient", {2, 1, 1}, {256, 1, 1}, 0, x.p(), x.p(), y.p(), dx.p(), 1001u, 0.0f, 1);
        launch("multiply_forward", {2, 1, 1}, {256, 1, 1}, 0, x.p(), divider(1001), b.p(), divider(77), z.p(), 1001u);
        launch("multiply_gradient_sum", {3, 2, 1}, {32, 8, 1}, 0, 0, x.p(), x.p(), divider(1001), b.p(), divider(77), z.p(), db.p(), 13u, 77u, 0, (float2*)partial.p(), tickets.words());
        return hash_of({y, dx, z, db});
    }},
    {"sum and log_sum_exp, shared among blocks", [] {
        Buffer x(3 * 700 * 5), y = zeros(15), l = zeros(15), partial = zeros(8 * 15 * 2), tickets = zeros(8);
        launch("sum", {3, 8, 1}, {8, 32, 1}, 0, x.p(), 0, 3u, 700u, 5u, 0.5f, y.p(), 0, (float2*)partial.p(), tickets.words());
        launch("log_sum_exp", {3, 8, 1}, {8, 32, 1}, 0, x.p(), 3u, 700u, 5u, l.p(), (float2*)partial.p(), tickets.words());
        return hash_of({y, l, tickets});
    }},
    {"softmax, gumbel_softmax", [] {
        Buffer x(11 * 45), y = zeros(11 * 45), g = zeros(11 * 45), one_hot = zeros(11 * 45), state = random_state(), temperature(1);
        temperature.p()[0] = 0.7f;
        launch("softmax", {2, 1, 1}, {256, 1, 1}, 0, 11u, 45u, x.p(), y.p());
        launch("gumbel_softmax", {2, 1, 1}, {256, 1, 1}, 0, 11u, 45u, x.p(), temperature.p(), state.words(), 3u, g.p());
        temperature.p()[0] = 0.0f;
        launch("gumbel_softmax", {2, 1, 1}, {256, 1, 1}, 0, 11u, 45u, x.p(), temperature.p(), state.words(), 3u, one_hot.p());
        return hash_of({y, g, one_hot});
    }},
    {"affine_warp", [] {
        struct {
            Divider channels, width, height;
            int reflect;
        } geometry = {divider(2), divider(9), divider(8), 1};
        Buffer x(3 * 8 * 9 * 2), motion(3 * 6), y = zeros(3 * 8 * 9 * 2);
        launch("affine_warp", {2, 1, 1}, {256, 1, 1}, 0, 432u, geometry, x.p(), motion.p(), y.p());
        return hash_of({y});
    }},
    {"softmax_cross_entropy, lstm_cell", [] {
        Buffer x(11 * 45), g(11), classes = zeros(11), loss = zeros(11), dx = zeros(11 * 45), gates(9 * 4 * 7), before(63), c = zeros(63), hidden = zeros(63), gc(63), dgates = zeros(9 * 4 * 7);
        for (int i = 0; i < 11; i++)
            ((int*)classes.p())[i] = 4 * i;
        launch("softmax_cross_entropy", {2, 1, 1}, {256, 1, 1}, 0, 11u, 45u, x.p(), (int*)classes.p(), loss.p());
        launch("softmax_cross_entropy_gradient", {2, 1, 1}, {256, 1, 1}, 0, 11u, 45u, g.p(), x.p(), (int*)classes.p(), dx.p(), 0);
        launch("lstm_cell", {1, 1, 1}, {256, 1, 1}, 0, 63u, divider(7), gates.p(), before.p(), c.p(), hidden.p());
        launch("lstm_cell_gradient", {1, 1, 1}, {256, 1, 1}, 0, 63u, divider(7), hidden.p(), gc.p(), gates.p(), before.p(), c.p(), dgates.p(), gc.p());
        return hash_of({loss, dx, c, hidden, dgates, gc});
    }},
    {"shuffle", [] {
        // With this state and draw a word is rejected.
        const unsigned n = 2000;
        Buffer order = zeros(n), scratch = zeros(3 * n), state = random_state();
        launch("shuffle", {1, 1, 1}, {256, 1, 1}, 0, state.words(), 1016u, n, (int*)order.p(), scratch.words());
        return hash_of({order});
    }},
    {"random_draw", [] {
        Buffer u = zeros(1003), n = zeros(1003), state = random_state();
        launch("random_draw", {2, 1, 1}, {256, 1, 1}, 0, 0, state.words(), 1u, u.p(), 1003u);
        launch("random_draw", {2, 1, 1}, {256, 1, 1}, 0, 1, state.words(), 2u, n.p(), 1003u);
        return hash_of({u, n});
    }},
    {"reparameterise, likelihoods, moments", [] {
        Buffer mu(9 * 40), lv(9 * 40), e = zeros(360), z = zeros(360), kl = zeros(9), nll = zeros(9), sums = zeros(4 * 40 * 2), indicators = zeros(6 * 40), partial = zeros(4 * 40 * 8), tickets = zeros(8), state = random_state();
        launch("reparameterise", {1, 1, 1}, {1, 16, 16}, 0, 9u, 10u, 1, mu.p(), lv.p(), state.words(), 0u, e.p(), z.p(), kl.p());
        launch("bernoulli_nll", {9, 1, 1}, {1, 64, 1}, 0, 9u, 40u, mu.p(), lv.p(), nll.p(), (float2*)nullptr, tickets.words());
        typedef void* Pointer;
        launch("encoding_moments", {2, 3, 1}, {32, 8, 1}, 0, 9u, 40u, mu.p(), lv.p(), sums.p(), 1.0f / 9, indicators.p(), (Pointer)partial.p(), tickets.words());
        return hash_of({e, z, kl, nll, sums, indicators, tickets});
    }},
    {"batch normalisation, pooling, Adam", [] {
        Buffer x(200 * 6), mean = zeros(6), inverse = zeros(6), rm = zeros(6), rv = zeros(6), partial = zeros(4 * 6 * 4), tickets = zeros(4), p(500), g(500), m = zeros(500), v = zeros(500), hyper(3);
        launch("batch_norm_statistics", {1, 4, 1}, {8, 32, 1}, 0, 200u, 6u, x.p(), rm.p(), rv.p(), 0.1f, 1e-5f, mean.p(), inverse.p(), (float4*)partial.p(), tickets.words());
        hyper.p()[0] = 1e-3f, hyper.p()[1] = 0.1f, hyper.p()[2] = 0.001f;
        launch("adam", {1, 1, 1}, {256, 1, 1}, 0, p.p(), g.p(), m.p(), v.p(), 500u, 0.9f, 0.999f, 1e-8f, 0.01f, hyper.p());
        return hash_of({mean, inverse, rm, rv, p, m, v});
    }},
    {"mixture", [] {
        Buffer z(6 * 20), mu(150 * 20), lv(150 * 20), joint = zeros(6), marginal = zeros(120), gj(6), shares = zeros(6 * 150), dz = zeros(120);
        launch("mixture_joint", {2, 1, 1}, {128, 1, 1}, 0, 6u, 150u, 20u, z.p(), mu.p(), lv.p(), -5.0f, -5.0f, -5.0f, 0u, (float*)nullptr, joint.p());
        launch("mixture_marginal", {2, 1, 1}, {32, 8, 1}, 0, 6u, 150u, 20u, z.p(), mu.p(), lv.p(), -5.0f, -5.0f, -5.0f, 0u, marginal.p());
        launch("mixture_joint_shares", {2, 2, 1}, {128, 1, 1}, 0, 6u, 150u, 20u, z.p(), mu.p(), lv.p(), -5.0f, -5.0f, -5.0f, 0u, (float*)nullptr, joint.p(), gj.p(), shares.p(), (float*)nullptr);
        launch("mixture_gradient_z", {6, 1, 1}, {32, 8, 1}, 0, 6u, 150u, 20u, z.p(), mu.p(), lv.p(), -5.0f, -5.0f, -5.0f, 0u, shares.p(), (float*)nullptr, (float*)nullptr, dz.p());
        return hash_of({joint, marginal, shares, dz});
    }},
    {"matmul fp32", [] { return matmul("matmul_nn_64x64_v4_fp32", 70, 68, 100, 64, 16, 128, fp32_shared(16, 68 + 64), 1) ^ matmul("matmul_tn_64x64_v1_fp32", 33, 35, 70, 64, 16, 128, fp32_shared(16, 64 + 64), 3) ^ matmul("matmul_nt_128x128_v4_fp32", 130, 36, 48, 128, 8, 256, finished_shared(128, 128), 1); }},
    {"matmul tf32", [] { return matmul("matmul_nn_64x64_v4_tf32", 70, 68, 100, 64, 16, 128, TensorAlong + TensorAcross, 1) ^ matmul("matmul_tt_64x64_v1_tf32", 33, 35, 130, 64, 16, 128, TensorAlong + TensorAcross, 2); }},
    {"matmul and conv bf16", [] {
        return matmul("matmul_nn_64x64_v4_bf16", 70, 68, 100, 64, 64, 128, 2 * 128 * 128, 1) ^ matmul("matmul_tt_64x64_v1_bf16", 33, 35, 130, 64, 64, 128, 2 * 128 * 128, 2)
            ^ convolution("conv_forward_128x32_v4_bf16", 0, 4, 8, 2 * 128 * 160, 32, 1);
    }},
    {"two heads", [] {
        return heads("matmul_nn_64x64_v4_fp32", "matmul_tn_64x64_v4_fp32", 70, 36, 40, fp32_shared(16, 68 + 64), fp32_shared(16, 64 + 64))
            ^ heads("matmul_nn_64x64_v1_tf32", "matmul_tn_64x64_v1_tf32", 33, 35, 7, TensorAlong + TensorAcross, 2 * TensorAcross);
    }},
    {"moments of two heads", [] {
        return head_moments("head_moments_64x64_v4_fp32", 300, 36, 36, fp32_shared(16, 68 + 64), 2) ^ head_moments("head_moments_64x64_v1_tf32", 300, 13, 7, TensorAlong + TensorAcross, 3)
            ^ head_moments("head_moments_64x64_v1_fp32", 70, 36, 5, fp32_shared(16, 68 + 64), 1);
    }},
    {"conv fp32", [] { return convolution("conv_forward_128x32_v4_fp32", 0, 4, 8, fp32_shared(16, 132 + 32), 32, 2) ^ convolution("conv_backward_data_128x32_v4_fp32", 1, 4, 8, fp32_shared(16, 132 + 36), 32, 1) ^ convolution("conv_backward_weight_128x32_v1_fp32", 2, 3, 5, fp32_shared(16, 128 + 32), 32, 2); }},
    {"conv tf32", [] {
        const size_t along = 4 * 3 * 20, across = 4 * 3 * 16;
        return convolution("conv_forward_128x32_v4_tf32", 0, 4, 8, along * 128 + across * 40, 32, 1) ^ convolution("conv_backward_data_128x32_v1_tf32", 1, 3, 5, along * 160, 32, 1)
            ^ convolution("conv_backward_weight_128x32_v4_tf32", 2, 4, 8, across * (136 + 40), 32, 2);
    }},
    {"conv to few channels", [] {
        ConvGeometry g = {3, 9, 10, 2, 8, 4, 4, 2, 1, 4, 5, divider(8), divider(5), divider(4)};
        Buffer dy(3 * 4 * 5 * 8), w(16 * 2 * 8), bias(2), dx = zeros(3 * 9 * 10 * 2), none = zeros(1);
        const Epilogue e = epilogue(dx, bias, none, none, 0, false);
        struct { unsigned rows, pixels; } few = {5, 20};
        launch("conv_backward_data_few", {3, 2, 1}, {256, 1, 1}, 4 * (32 * 8 + 20 * 12 + 32 * 20), dy.p(), w.p(), g, e, few);
        return hash_of({dx});
    }},
    {"conv from few channels, and its weights", [] {
        constexpr unsigned Sharing = 2, Outputs = 32 * 8, Slices = 16, Line = 24;
        ConvGeometry g = {3, 9, 10, 2, 8, 4, 4, 2, 1, 4, 5, divider(2), divider(5), divider(4)};
        Buffer x(3 * 9 * 10 * 2), w(Outputs), bias(8), y = zeros(3 * 4 * 5 * 8), dw = zeros(Outputs), none = zeros(1), partial = zeros(shares(Sharing) * Outputs), tickets = zeros(tickets_of(Sharing));
        struct { unsigned rows, pixels; } few = {3, 0};
        launch("conv_forward_few", {3, 2, 1}, {256, 1, 1}, 4 * (Outputs + 8 * Line), x.p(), w.p(), g, epilogue(y, bias, none, none, 0, true), few);
        const Sums sums(3 * 4 * 5, 8, 8, 1, Sharing);
        Epilogue e = epilogue(dw, none, partial, tickets, 0, false);
        e.bias = nullptr;
        launch("conv_backward_weight_few", {1 + sums.blocks(), Sharing, 1}, {256, 1, 1}, 4 * ((Slices + 1) * Outputs + 10 * Line), x.p(), sums.g.p(), g, e, sums.arguments);
        return hash_of({y, dw, sums.out});
    }},
    {"chains", [] { return chain("chain_fp32") ^ chain("chain_tf32"); }},
    {"matmul wgmma", [] {
        return matmul("matmul_nn_64x64_v4_tf32_wgmma", 72, 68, 200, 64, 32, 128, warpgroup_shared(128), 1) ^ matmul("matmul_tn_64x64_v4_tf32_wgmma", 36, 68, 72, 64, 32, 128, warpgroup_shared(128), 2)
            ^ matmul("matmul_nt_128x128_v4_tf32_wgmma", 132, 36, 260, 128, 32, 256, warpgroup_shared(256), 1) ^ matmul("matmul_nn_128x256_v4_tf32_wgmma", 36, 132, 68, 256, 32, 256, warpgroup_shared(384), 1) ^ matmul("matmul_tt_64x64_v4_bf16_wgmma", 36, 68, 300, 64, 64, 128, warpgroup_shared(128), 1);
    }},
    {"conv wgmma", [] {
        return convolution("conv_forward_128x32_v4_tf32_wgmma", 0, 4, 8, warpgroup_shared(160), 32, 1) ^ convolution("conv_backward_data_128x64_v4_tf32_wgmma", 1, 4, 8, warpgroup_shared(192), 64, 1)
            ^ convolution("conv_backward_weight_128x32_v4_tf32_wgmma", 2, 4, 8, warpgroup_shared(160), 32, 2);
    }},
    {"copied products", [] {
        return copied_product("nn", 136, 68, 328, 64, 64, 1) ^ copied_product("nt", 136, 132, 200, 128, 128, 1) ^ copied_product("tn", 72, 264, 391, 128, 256, 2) ^ copied_product("nn", 8, 260, 520, 128, 256, 2)
            ^ copied_product("tn", 72, 72, 70, 64, 64, 1) ^ copied_product("tn", 136, 136, 200, 128, 128, 1) ^ copied_product("nt", 64, 64, 64, 64, 64, 1);
    }},
    {"square by the copy engine", [] { return square_by_copies(70, 200, 32) ^ square_by_copies(64, 64, 0) ^ square_by_copies(3, 8, 0); }},
};

const char* name_of(Order order) { return order == Order::Forward ? "forward" : order == Order::Reverse ? "reverse" : "random"; }

int run()
{
    int failures = 0;
    for (const Case& c : cases) {
        Hash expected = 0;
        bool first = true, good = true;
        for (int threads : {1, 2})
            for (Order order : {Order::Forward, Order::Reverse, Order::Random}) {
                emulator::configure(order, threads, 1);
                broken.clear();
                const long races_before = race_count();
                const Hash h = c.run();
                if (first)
                    expected = h;
                first = false;
                if (!broken.empty() || h != expected || race_count() != races_before) {
                    good = false;
                    printf("FAIL  %s, %s order, %d threads: %s\n", c.name, name_of(order), threads, !broken.empty() ? broken.c_str() : h != expected ? "other bits" : "a race");
                }
            }
        if (good)
            printf("ok    %s\n", c.name);
        failures += !good;
    }
    return failures;
}

// Tensor maps as the driver would refuse them, each by one number that is wrong.
int maps_that_are_refused()
{
    const Buffer memory(64 * 64);
    struct Map {
        const char* wrong;
        size_t at, columns, lineBytes;
        unsigned boxColumns, boxRows, elementStride;
    };
    const Map maps[] = {{nullptr, 16, 72, 144, 64, 256, 1}, {"the address", 8, 64, 128, 64, 64, 1}, {"the distance of lines", 0, 60, 120, 64, 64, 1}, {"lines that overlap", 0, 72, 128, 64, 64, 1},
        {"a matrix without columns", 0, 0, 128, 64, 64, 1}, {"rows of the box", 0, 64, 128, 64, 257, 1}, {"a box without rows", 0, 64, 128, 64, 0, 1}, {"a line of the box beyond the swizzle", 0, 128, 256, 128, 64, 1},
        {"a line of the box of no whole chunks", 0, 64, 128, 60, 64, 1}, {"the step between elements", 0, 64, 128, 64, 64, 2}};
    int failures = 0;
    for (const Map& m : maps) {
        TensorMap map;
        const uint64_t sizes[2] = {m.columns, 64}, strides[1] = {m.lineBytes};
        const unsigned box[2] = {m.boxColumns, m.boxRows}, steps[2] = {m.elementStride, m.elementStride};
        const bool refused = !emulator::encode_matrix(&map, 9, 2, (char*)memory.p() + m.at, sizes, strides, box, steps, 0, 3, 0, 0), good = refused == (m.wrong != nullptr);
        printf("%s  a tensor map %s%s\n", good ? "ok   " : "FAIL ", m.wrong ? "is refused for " : "is accepted", m.wrong ? m.wrong : "");
        failures += !good;
    }
    return failures;
}

int mistakes()
{
    int failures = 0;
    emulator::configure(Order::Forward, 1, 1);
    const std::map<const char*, const char*> expected = {{"divergent_barriers", "divergent __syncthreads"}, {"returns_before_barrier", "after some threads returned"}, {"mask_names_absent_lanes", "mask names lanes"}, {"waits_for_ever", "deadlock"}, {"starts_too_early", "thread 40 did not wait for the kernels before it"}};
    for (const auto& [kernel, message] : expected) {
        Buffer out = zeros(64);
        broken.clear();
        const bool noticed = !launch(kernel, {1, 1, 1}, {64, 1, 1}, 0, out.p()) && (broken.find(message) != std::string::npos || broken.find("returned while others wait") != std::string::npos || broken.find("divergent") != std::string::npos);
        printf("%s  %s: %s\n", noticed ? "ok   " : "FAIL ", kernel, broken.c_str());
        failures += !noticed;
    }
    const std::map<const char*, const char*> expectedOfClusters = {{"divergent_cluster_barriers", "divergent cluster_arrive"}, {"returns_before_cluster_barrier", "after some threads returned"}, {"waits_at_another_barrier", "returned while others wait at __syncthreads"}, {"arrives_without_waiting", "between cluster_arrive and cluster_wait"}};
    for (const auto& [kernel, message] : expectedOfClusters) {
        Buffer out = zeros(64);
        broken.clear();
        const bool noticed = !launch_clusters(2, kernel, {2, 1, 1}, {32, 1, 1}, 0, out.p()) && (broken.find(message) != std::string::npos || broken.find("returned while others have come to cluster_arrive") != std::string::npos);
        printf("%s  %s: %s\n", noticed ? "ok   " : "FAIL ", kernel, broken.c_str());
        failures += !noticed;
    }
    Buffer late = zeros(128);
    emulator::configure(Order::Reverse, 1, 1);
    launch_clusters(2, "writes_after_arriving", {2, 1, 1}, {32, 1, 1}, 0, late.p());
    bool unseen = false;
    for (int i = 64; i < 128; i++)
        unseen |= late.p()[i] == 0.0f;
    printf("%s  writes_after_arriving: %s\n", unseen ? "ok   " : "FAIL ", unseen ? "not seen" : "seen");
    failures += !unseen;
    emulator::configure(Order::Forward, 1, 1);
    // What only wgmma can get wrong; each thread of a warpgroup stores one line of both operands.
    const std::map<const char*, const char*> expectedOfWgmma = {{"forgets_to_fence_operands", "without fencing"}, {"forgets_wgmma_fence", "without wgmma.fence"}, {"forgets_to_wait_for_wgmma", "without waiting"}, {"misaligned_operand", "multiple of 1024"}, {"operand_beyond_shared_memory", "leaves shared memory"}};
    for (const auto& [kernel, message] : expectedOfWgmma) {
        Buffer out = zeros(128);
        broken.clear();
        const bool noticed = !launch(kernel, {1, 1, 1}, {128, 1, 1}, 1024 + 64 * 128, out.p()) && broken.find(message) != std::string::npos;
        printf("%s  %s: %s\n", noticed ? "ok   " : "FAIL ", kernel, broken.c_str());
        failures += !noticed;
    }
    // And what only the copy engine can. Waiting for the wrong phase is a deadlock where the copy has landed and a product too early where it has not.
    const std::map<const char*, const char*> expectedOfCopies = {{"expects_no_bytes", "deadlock"}, {"expects_too_few_bytes", "16 bytes landed more"}, {"expects_too_many_bytes", "0 arrivals and 16 bytes are missing"},
        {"arrives_twice", "more arrivals"}, {"forgets_to_fence_mbarrier", "without a fence"}, {"forgets_to_set_up_mbarrier", "has not been set up"}, {"multiplies_without_waiting", "has not waited for"},
        {"waits_for_the_wrong_phase", ""}, {"fills_what_is_being_multiplied", "a copy into a tile whose products"}, {"copies_to_a_misaligned_tile", "multiple of 1024"}};
    for (const Order order : {Order::Forward, Order::Reverse, Order::Random})
        for (const auto& [kernel, message] : expectedOfCopies) {
            emulator::configure(order, 1, 1);
            const WholeNumbers x(70, 200);
            Buffer out = zeros(64 * 64);
            broken.clear();
            const bool noticed = !launch(kernel, {1, 1, 1}, {128, 1, 1}, SquareShared, x.map(64), 0u, 200u, out.p()) && broken.find(message) != std::string::npos;
            printf("%s  %s, %s order: %s\n", noticed ? "ok   " : "FAIL ", kernel, name_of(order), broken.c_str());
            failures += !noticed;
        }
    {
        emulator::configure(Order::Reverse, 1, 1);
        const WholeNumbers x(70, 200);
        Buffer out = zeros(128);
        launch("loads_before_it_has_landed", {1, 1, 1}, {128, 1, 1}, SquareShared, x.map(64), out.p());
        const bool poisoned = out.p()[3] != out.p()[3];
        printf("%s  loads_before_it_has_landed: reads %f\n", poisoned ? "ok   " : "FAIL ", out.p()[3]);
        broken.clear();
        const bool noticed = !launch("returns_before_it_has_landed", {1, 1, 1}, {128, 1, 1}, SquareShared, x.map(64), out.p()) && broken.find("ended before a copy") != std::string::npos;
        printf("%s  returns_before_it_has_landed: %s\n", noticed ? "ok   " : "FAIL ", broken.c_str());
        failures += !poisoned + !noticed;
        emulator::configure(Order::Forward, 1, 1);
    }
    failures += maps_that_are_refused();
    Buffer out = zeros(64), in(256);
    launch("forgets_to_wait", {1, 1, 1}, {64, 1, 1}, 1024, out.p(), in.p());
    const bool poisoned = out.p()[3] != out.p()[3];
    printf("%s  forgets_to_wait: reads %f\n", poisoned ? "ok   " : "FAIL ", out.p()[3]);
    return failures + !poisoned;
}

typedef std::pair<std::string, int> Place;

template<class F> void for_each_site(const Place* at, F f)
{
    for (emulator::Site* s = emulator::sites(); s; s = s->next)
        if (!at || (s->line == at->second && at->first == s->file))
            f(*s);
}

int mutation(size_t index)
{
    std::vector<Hash> expected;
    std::map<Place, std::vector<size_t>> cases_at;
    emulator::configure(Order::Forward, 2, 1);
    for (size_t i = 0; i < cases.size(); i++) {
        for_each_site(nullptr, [](emulator::Site& s) { s.visited = false; });
        expected.push_back(cases[i].run());
        for_each_site(nullptr, [&](emulator::Site& s) {
            auto& at = cases_at[{s.file, s.line}];
            if (s.visited && (at.empty() || at.back() != i))
                at.push_back(i);
        });
    }
    if (index >= cases_at.size())
        return 3;
    const auto& [place, touched] = *std::next(cases_at.begin(), index);
    const size_t slash = place.first.rfind('/');
    printf("without %s:%d: ", place.first.c_str() + (slash == std::string::npos ? 0 : slash + 1), place.second);
    fflush(stdout);
    for_each_site(&place, [](emulator::Site& s) { s.removed = true; });
    // A loop whose end depends on the barrier may have none without it.
    const itimerval patience = {{0, 0}, {5, 0}};
    signal(SIGPROF, [](int) {
        static const char words[] = "no end\n";
        _exit(write(1, words, sizeof words - 1) > 0 ? 0 : 2);
    });
    setitimer(ITIMER_PROF, &patience, nullptr);
    for (Order order : {Order::Forward, Order::Reverse, Order::Random}) {
        emulator::configure(order, 2, 1);
        for (size_t i : touched) {
            broken.clear();
            const long races_before = race_count();
            const Hash h = cases[i].run();
            if (!broken.empty() || h != expected[i] || race_count() != races_before) {
                printf("%s in %s, %s order\n", !broken.empty() ? "a broken rule" : h != expected[i] ? "other bits" : "a race", cases[i].name, name_of(order));
                return 0;
            }
        }
    }
    printf("the same bits in every order\n");
    return 1;
}
}  // namespace

int main(int count, char** arguments)
{
    setvbuf(stdout, nullptr, _IOLBF, 0);
    const std::string what = count > 1 ? arguments[1] : "";
    if (what == "run")
        return run() != 0;
    if (what == "mistakes")
        return mistakes() != 0;
    if (what == "mutation" && count > 2)
        return mutation(strtoul(arguments[2], nullptr, 10));
    fprintf(stderr, "usage: checks run | mistakes | mutation N\n");
    return 2;
}
