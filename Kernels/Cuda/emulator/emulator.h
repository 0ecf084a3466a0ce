// The CUDA execution model on the host, for the same .cu sources: each CUDA thread is a fiber, each block runs on one OS thread, blocks run on several; those of a cluster share one.
// Barriers and warp operations are scheduling points, so the order in which threads run between them can be chosen: a kernel that is right gives the
// same bits in every order. Divergent barriers, warp masks that name absent lanes and deadlocks are reported with file and line.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#define __host__
#define __device__
#define __global__
#define __shared__ static thread_local  // all fibers of a block live on one OS thread; with those of its cluster, so that kernels of clusters may use dynamic shared memory only
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __restrict__ __restrict

struct __align__(8) float2 { float x, y; };
struct __align__(16) float4 { float x, y, z, w; };
struct __align__(8) uint2 { unsigned x, y; };
struct __align__(16) uint4 { unsigned x, y, z, w; };
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
// Opaque; made by the stand-in for the driver.
struct __align__(64) TensorMap { unsigned long long words[16]; };
typedef unsigned long long Mbarrier;

namespace emulator {

// Addresses of shared memory.
struct Range {
    unsigned first, end;
    bool meets(Range other) const { return first < other.end && other.first < end; }
};

// A store to a tile that wgmma will read.
struct OperandStore {
    uint4* to;
    uint4 value;
};

// One wgmma of one thread: its part of d [64, 2 sums] += a b, a and b in shared memory where their descriptors say.
struct Product {
    float* d;
    int sums;
    unsigned long long a, b;
    bool bf16, across;  // k
    Range rangeA, rangeB;
};

struct Thread {
    uint3 index, block, blockSize, gridSize;
    int lane, warp;
    unsigned clusterRank, clusterSize;
    bool arrivedAtCluster;
    unsigned exchanges;
    bool waited;  // for the kernels before this one
    std::vector<OperandStore> stores;
    std::vector<Product> products;
    std::vector<int> productGroups;
    bool mayMultiply;
};
extern thread_local Thread* current;

// A place in the source where threads meet. A test can switch one off, to see that something notices.
struct Site {
    const char* file;
    int line;
    bool removed;
    bool listed;
    bool visited;
    Site* next;
};

void sync_block(Site& site);
void arrive_at_cluster(const char* file, int line);
void wait_for_cluster(Site& site);
void sync_warp(Site& site);
// Every lane of the mask deposits n words; returns the 32 x 8 table of the round, valid until the round after next.
const unsigned (*exchange(unsigned mask, const unsigned* words, int n, const char* file, int line))[8];
void* dynamic_shared();
size_t dynamic_shared_bytes();
// Ends the launch with an error.
void report(const char* what, const char* file, int line);
// Whether what is asynchronous happens when it is asked for, the earliest moment, or when it is waited for, the last.
bool is_early();

// The barriers and copies of Hopper's copy engine, see copy_engine.h. A copy lands where it is asked for, or once no thread can go on without it.
void set_up_barrier(Mbarrier* barrier, unsigned arrivals, const char* file, int line);
void fence_barriers();
void arrive_expecting(Mbarrier* barrier, unsigned bytes, const char* file, int line);
void wait_for_phase(Mbarrier* barrier, unsigned parity, const char* file, int line);
void start_tile_copy(void* to, const TensorMap& map, int column, int row, Mbarrier* barrier, const char* file, int line);
// Whether this thread has waited for the copies that fill what it is about to multiply.
void check_tiles(Range range, const char* file, int line);

struct Copy {
    float* to;
    const float* from;
    int floats;
    bool valid;
};
void copy_push(Copy copy);
void copy_commit();
void copy_wait(int pendingGroups);

struct Kernel {
    const char* name;
    int parameters;
    unsigned short size[32];
    void (*call)(void* function, void** arguments);
    void* function;
    Kernel* next;
};
void add_kernel(Kernel* kernel);

template<class... A> struct Call {
    template<size_t... I> static void expand(void (*f)(A...), void** p, std::index_sequence<I...>) { f(*(std::remove_cv_t<A>*)p[I]...); }
    static void call(void* f, void** p) { expand((void (*)(A...))f, p, std::index_sequence_for<A...>()); }
};

template<class... A> struct Registration {
    Kernel kernel;
    Registration(const char* name, void (*f)(A...))
        : kernel{name, (int)sizeof...(A), {(unsigned short)sizeof(A)...}, &Call<A...>::call, (void*)f, nullptr} { add_kernel(&kernel); }
};
template<class... A> Registration(const char*, void (*)(A...)) -> Registration<A...>;

inline unsigned bits(float f) { unsigned u; __builtin_memcpy(&u, &f, 4); return u; }
inline float real(unsigned u) { float f; __builtin_memcpy(&f, &u, 4); return f; }

inline float shuffle(unsigned mask, float v, int from, const char* file, int line)
{
    const unsigned word = bits(v);
    return real(exchange(mask, &word, 1, file, line)[from & 31][0]);
}

inline float tf32_of(unsigned word, int) { return real(word & 0xffffe000u); }
inline float bf16_of(unsigned word, int k) { return real(k & 1 ? word & 0xffff0000u : word << 16); }

// d [16, 8] += a b over Words numbers a word and a depth of 8 Words. Products of two tf32 or bf16 numbers are exact in fp32; the sums here are in fp32, one rounding each, as
// close as the hardware's rule is documented.
template<int Words, float (*number)(unsigned word, int k)> void mma(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file, int line)
{
    const unsigned mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const auto table = exchange(0xffffffffu, mine, 6, file, line);
    const int row = current->lane >> 2, column = (current->lane & 3) * 2;
    for (int k = 0; k < 8 * Words; k++) {
        const int half = k / (4 * Words), t = k / Words % 4;
        const float a0 = number(table[row * 4 + t][2 * half], k), a1 = number(table[row * 4 + t][2 * half + 1], k);
        const float b0 = number(table[column * 4 + t][4 + half], k), b1 = number(table[column * 4 + 4 + t][4 + half], k);
        d[0] += a0 * b0;
        d[1] += a0 * b1;
        d[2] += a1 * b0;
        d[3] += a1 * b1;
    }
}

inline void load_matrices(unsigned (&d)[4], const void* row, const char* file, int line)
{
    const uintptr_t address = (uintptr_t)row;
    const unsigned mine[2] = {(unsigned)address, (unsigned)(address >> 32)};
    const auto table = exchange(0xffffffffu, mine, 2, file, line);
    for (int i = 0; i < 4; i++) {
        const unsigned* const from = table[i * 8 + current->lane / 4];
        d[i] = ((const unsigned*)(from[0] | (uintptr_t)from[1] << 32))[current->lane % 4];
    }
}

// To nearest, ties to even; NaN stays NaN.
inline unsigned bf16_bits(float x)
{
    const unsigned u = bits(x);
    return x != x ? 0x7fffu : (u + 0x7fffu + (u >> 16 & 1)) >> 16;
}

// As if that much static shared memory lay before the dynamic.
constexpr unsigned DynamicSharedAddress = 128;

inline unsigned shared_address(const void* p) { return DynamicSharedAddress + (unsigned)((const char*)p - (const char*)dynamic_shared()); }

// ---- wgmma

// The 128-byte swizzle: bits 4 to 6 of an address are exchanged by bits 7 to 9.
inline unsigned swizzled(unsigned address) { return address ^ (address >> 7 & 7) << 4; }

inline unsigned start_of(unsigned long long descriptor) { return (unsigned)(descriptor & 0x3fff) << 4; }
inline unsigned stride_of(unsigned long long descriptor) { return (unsigned)(descriptor >> 32 & 0x3fff) << 4; }
inline unsigned leading_of(unsigned long long descriptor) { return (unsigned)(descriptor >> 16 & 0x3fff) << 4; }

// The whole patterns of eight lines of 128 bytes that an instruction reads from. Along k there is a line for each row. Across k there is one for each of 16 k, of 64 rows, and the next 64
// rows lie a leading distance further.
inline Range range_of(unsigned long long descriptor, int rows, bool across)
{
    const unsigned first = start_of(descriptor) & ~1023u, lines = across ? 16 : rows;
    return {first, first + (across ? (rows - 1) / 64 * leading_of(descriptor) : 0) + (lines / 8 - 1) * stride_of(descriptor) + 1024};
}

// What lies at an address of a tile with 128-byte swizzle, before the exchange of bits.
inline const void* tile_at(unsigned long long descriptor, unsigned address, const char* file, int line)
{
    static const unsigned nothing = 0;
    if (descriptor >> 62 != 1 || (descriptor >> 49 & 7) != 0 || (start_of(descriptor) & 0x380) != 0)
        report("a descriptor of another layout than 128-byte swizzle from a multiple of 1024 bytes", file, line);
    const unsigned at = swizzled(address);
    if (at < DynamicSharedAddress || at + 4 > DynamicSharedAddress + dynamic_shared_bytes()) {
        report("a descriptor that leaves shared memory", file, line);
        return &nothing;
    }
    return (const char*)dynamic_shared() + at - DynamicSharedAddress;
}

// Word `word` of row `row` along k: lines of 128 bytes for each row, or across k for each k, groups of eight of them a stride apart.
inline unsigned operand_word(unsigned long long descriptor, int row, int word, bool across, const char* file, int line)
{
    const unsigned start = start_of(descriptor), stride = stride_of(descriptor);
    if (!across)
        return *(const unsigned*)tile_at(descriptor, start + row / 8 * stride + row % 8 * 128 + 4 * word, file, line);
    const unsigned first = start + row / 64 * leading_of(descriptor) + row % 64 * 2 + 2 * word / 8 * stride + 2 * word % 8 * 128;
    return *(const uint16_t*)tile_at(descriptor, first, file, line) | (unsigned)*(const uint16_t*)tile_at(descriptor, first + 128, file, line) << 16;
}

inline void multiply(const Product& p, const char* file, int line)
{
    const int row = current->index.x / 32 % 4 * 16 + current->lane / 4, column = current->lane % 4 * 2, numbers = p.bf16 ? 2 : 1;
    for (int word = 0; word < 8; word++) {
        const unsigned a0 = operand_word(p.a, row, word, p.across, file, line), a1 = operand_word(p.a, row + 8, word, p.across, file, line);
        for (int j = 0; j < p.sums / 2; j++) {
            const unsigned b = operand_word(p.b, j / 2 * 8 + column + j % 2, word, p.across, file, line);
            float* const d = p.d + j / 2 * 4 + j % 2;
            for (int k = 0; k < numbers; k++) {
                const float y = p.bf16 ? bf16_of(b, k) : tf32_of(b, k);
                d[0] += (p.bf16 ? bf16_of(a0, k) : tf32_of(a0, k)) * y;
                d[2] += (p.bf16 ? bf16_of(a1, k) : tf32_of(a1, k)) * y;
            }
        }
    }
}

inline void warpgroup_multiply(float* d, int sums, unsigned long long a, unsigned long long b, bool bf16, bool across, const char* file, int line)
{
    if (!current->mayMultiply)
        report("wgmma without wgmma.fence since its sums could last be touched", file, line);
    const Product product = {d, sums, a, b, bf16, across, range_of(a, 64, across), range_of(b, 2 * sums, across)};
    check_tiles(product.rangeA, file, line);
    check_tiles(product.rangeB, file, line);
    if (is_early())
        multiply(product, file, line);
    current->products.push_back(product);
}

inline void warpgroup_begin() { current->mayMultiply = true; }

inline void warpgroup_commit(const char* file, int line)
{
    // All lanes of a warp must be here together.
    const unsigned nothing = 0;
    exchange(0xffffffffu, &nothing, 0, file, line);
    current->productGroups.push_back((int)current->products.size());
}

inline void warpgroup_wait(int pending, const char* file, int line)
{
    Thread* const t = current;
    const int finished = (int)t->productGroups.size() - pending;
    t->mayMultiply = false;
    if (finished <= 0)
        return;
    const int n = t->productGroups[finished - 1];
    if (!is_early())
        for (int i = 0; i < n; i++)
            multiply(t->products[i], file, line);
    t->products.erase(t->products.begin(), t->products.begin() + n);
    t->productGroups.erase(t->productGroups.begin(), t->productGroups.begin() + finished);
    for (int& group : t->productGroups)
        group -= n;
}

// Stores become visible to wgmma here and not before: a kernel that forgets the fence multiplies poison.
inline void fence_operands()
{
    for (const OperandStore& store : current->stores)
        *store.to = store.value;
    current->stores.clear();
    fence_barriers();
}
}  // namespace emulator

#define EMULATOR_SITE(action) ({ static emulator::Site site = {__FILE__, __LINE__, false, false, false, nullptr}; action(site); })
#define __syncthreads() EMULATOR_SITE(emulator::sync_block)
#define __syncwarp() EMULATOR_SITE(emulator::sync_warp)
#define cluster_arrive() emulator::arrive_at_cluster(__FILE__, __LINE__)
#define cluster_wait() EMULATOR_SITE(emulator::wait_for_cluster)
#define __shfl_xor_sync(mask, v, lanes) emulator::shuffle(mask, v, emulator::current->lane ^ (lanes), __FILE__, __LINE__)
#define mma_tf32(d, a, b) emulator::mma<1, emulator::tf32_of>(d, a, b, __FILE__, __LINE__)
#define mma_bf16(d, a, b) emulator::mma<2, emulator::bf16_of>(d, a, b, __FILE__, __LINE__)
#define load_matrices(d, row) emulator::load_matrices(d, row, __FILE__, __LINE__)
#define threadIdx (emulator::current->index)
#define blockIdx (emulator::current->block)
#define blockDim (emulator::current->blockSize)
#define gridDim (emulator::current->gridSize)
#define AFTER_EARLIER_KERNELS() (void)(emulator::current->waited = true)
#define mbarrier_init(barrier, arrivals) emulator::set_up_barrier(barrier, arrivals, __FILE__, __LINE__)
#define mbarrier_arrive_expecting(barrier, bytes) emulator::arrive_expecting(barrier, bytes, __FILE__, __LINE__)
#define mbarrier_wait(barrier, parity) emulator::wait_for_phase(barrier, parity, __FILE__, __LINE__)
#define copy_tile_async(to, map, column, row, barrier) emulator::start_tile_copy(to, *(map), column, row, barrier, __FILE__, __LINE__)
#define TENSOR_MAP(name, kernel, index, parameter) const TensorMap* const name = &(parameter)
#define DYNAMIC_SHARED(name) float* name = (float*)emulator::dynamic_shared()
#define EXPORT(name) static emulator::Registration registration_##name{#name, &name};
#define DEVICE static inline __attribute__((always_inline))
#define DEVICE_MEMBER inline __attribute__((always_inline))

DEVICE float2 make_float2(float x, float y) { return {x, y}; }
DEVICE float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
DEVICE float4 load4(const float* p) { return *(const float4*)__builtin_assume_aligned(p, 16); }
DEVICE void store4(float* p, float4 v) { *(float4*)__builtin_assume_aligned(p, 16) = v; }
DEVICE uint4 load_4_or_2_words(const void* p, bool four)
{
    const unsigned* const words = (const unsigned*)__builtin_assume_aligned(p, 8);
    return four ? uint4{words[0], words[1], words[2], words[3]} : uint4{words[0], words[1], 0x7fc0dead, 0x7fc0dead};
}
DEVICE float load_shared_by_blocks(const float* p) { return *(const volatile float*)p; }
DEVICE unsigned cluster_rank() { return emulator::current->clusterRank; }
DEVICE unsigned cluster_size() { return emulator::current->clusterSize; }
DEVICE void __threadfence() {}  // atomicInc below orders memory on the host
DEVICE unsigned atomicInc(unsigned* p, unsigned limit)
{
    unsigned old = __atomic_load_n(p, __ATOMIC_SEQ_CST), next;
    do
        next = old >= limit ? 0 : old + 1;
    while (!__atomic_compare_exchange_n(p, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}
DEVICE unsigned atomic_replace(unsigned* p, unsigned v, bool (*replaces)(unsigned v, unsigned old))
{
    unsigned old = __atomic_load_n(p, __ATOMIC_SEQ_CST);
    while (replaces(v, old) && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    return old;
}
DEVICE unsigned atomicMax(unsigned* p, unsigned v) { return atomic_replace(p, v, [](unsigned a, unsigned b) { return a > b; }); }
DEVICE unsigned atomicMin(unsigned* p, unsigned v) { return atomic_replace(p, v, [](unsigned a, unsigned b) { return a < b; }); }
DEVICE unsigned __float_as_uint(float f) { return emulator::bits(f); }
DEVICE float __uint_as_float(unsigned u) { return emulator::real(u); }
DEVICE unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }
template<int N> DEVICE void copy_async(float* to, const float* from, bool valid) { emulator::copy_push({to, from, N, valid}); }
DEVICE void copy_async_commit() { emulator::copy_commit(); }
template<int Pending> DEVICE void copy_async_wait() { emulator::copy_wait(Pending); }
DEVICE unsigned shared_address(const void* p) { return emulator::shared_address(p); }
DEVICE void store_operand(uint4* to, uint4 v) { emulator::current->stores.push_back({to, v}); }
DEVICE void fence_operands() { emulator::fence_operands(); }
DEVICE void warpgroup_begin() { emulator::warpgroup_begin(); }
DEVICE void warpgroup_commit() { emulator::warpgroup_commit(__FILE__, __LINE__); }
template<int Pending> DEVICE void warpgroup_wait() { emulator::warpgroup_wait(Pending, __FILE__, __LINE__); }
template<int Sums> DEVICE void warpgroup_multiply_tf32(float (&d)[Sums], unsigned long long a, unsigned long long b) { emulator::warpgroup_multiply(d, Sums, a, b, false, false, __FILE__, __LINE__); }
template<int Sums> DEVICE void warpgroup_multiply_bf16(float (&d)[Sums], unsigned long long a, unsigned long long b) { emulator::warpgroup_multiply(d, Sums, a, b, true, false, __FILE__, __LINE__); }
template<int Sums> DEVICE void warpgroup_multiply_bf16_across(float (&d)[Sums], unsigned long long a, unsigned long long b) { emulator::warpgroup_multiply(d, Sums, a, b, true, true, __FILE__, __LINE__); }
DEVICE unsigned to_tf32(float x) { return (emulator::bits(x) + 0x1000u) & 0xffffe000u; }
DEVICE unsigned to_bf16_pair(float low, float high) { return emulator::bf16_bits(low) | emulator::bf16_bits(high) << 16; }
