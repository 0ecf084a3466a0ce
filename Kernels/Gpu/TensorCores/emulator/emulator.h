// The CUDA execution model on the host, for the same .cu sources: each CUDA thread is a fiber, each block runs on one OS thread, blocks
// run on several. Barriers and warp operations are scheduling points, so the order in which threads run between them can be chosen: a
// kernel that is right gives the same bits in every order. Divergent barriers, warp operations with absent lanes and deadlocks are
// reported with file and line.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

#define __host__
#define __device__
#define __global__
#define __shared__ static thread_local  // all fibers of a block live on one OS thread
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define DEVICE static inline __attribute__((always_inline))
#define DEVICE_MEMBER inline __attribute__((always_inline))

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };

namespace emulator {

struct Thread {
    uint3 index, block;
    dim3 gridSize;
    int lane, warp;
    unsigned exchanges;
};
extern thread_local Thread* current;

// A place in the source where threads meet. A test can switch one off, to see that something notices.
struct Site {
    const char* file;
    int line;
    bool removed, listed, visited;
    Site* next;
};

void sync_block(Site& site);
// By every lane of a warp: each deposits n words; returns the 32 x 8 table of the round, valid until the round after next.
const unsigned (*exchange(const unsigned* words, int n, const char* file, int line))[8];
void* dynamic_shared();
// An access of so many bytes, of which the address must be a multiple.
void check_aligned(const void* p, int bytes);

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
    unsigned short size[8];
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

inline float tf32_of(unsigned word, int) { return real(word & 0xffffe000u); }
inline float bf16_of(unsigned word, int k) { return real(k & 1 ? word & 0xffff0000u : word << 16); }

// d [16, 8] += a b over Words numbers a word and a depth of 8 Words. Products of two tf32 or bf16 numbers are exact in fp32; the sums
// here are in fp32, one rounding each, as close as the hardware's rule is documented.
template<int Words, float (*number)(unsigned word, int k)>
void mma(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file, int line)
{
    const unsigned mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const auto table = exchange(mine, 6, file, line);
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
    const auto table = exchange(mine, 2, file, line);
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
}  // namespace emulator

#define EMULATOR_SITE(action) ({ static emulator::Site site = {__FILE__, __LINE__, false, false, false, nullptr}; action(site); })
#define __syncthreads() EMULATOR_SITE(emulator::sync_block)
#define mma_tf32(d, a, b) emulator::mma<1, emulator::tf32_of>(d, a, b, __FILE__, __LINE__)
#define mma_bf16(d, a, b) emulator::mma<2, emulator::bf16_of>(d, a, b, __FILE__, __LINE__)
#define load_matrices(d, row) emulator::load_matrices(d, row, __FILE__, __LINE__)
#define threadIdx (emulator::current->index)
#define blockIdx (emulator::current->block)
#define gridDim (emulator::current->gridSize)
#define DYNAMIC_SHARED(name) float* name = (float*)emulator::dynamic_shared()
#define EXPORT(name) static emulator::Registration registration_##name{#name, &name};

DEVICE float4 load4(const float* p)
{
    emulator::check_aligned(p, 16);
    return {p[0], p[1], p[2], p[3]};
}
DEVICE void store4(float* p, float4 v)
{
    emulator::check_aligned(p, 16);
    p[0] = v.x, p[1] = v.y, p[2] = v.z, p[3] = v.w;
}
DEVICE float load_shared_by_blocks(const float* p) { return *(const volatile float*)p; }
DEVICE void __threadfence() {}  // atomicInc below orders memory on the host
DEVICE unsigned atomicInc(unsigned* p, unsigned limit)
{
    unsigned old = __atomic_load_n(p, __ATOMIC_SEQ_CST), next;
    do
        next = old >= limit ? 0 : old + 1;
    while (!__atomic_compare_exchange_n(p, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}
template<int N> DEVICE void copy_async(float* to, const float* from, bool valid) { emulator::copy_push({to, from, N, valid}); }
DEVICE void copy_async_commit() { emulator::copy_commit(); }
template<int Pending> DEVICE void copy_async_wait() { emulator::copy_wait(Pending); }
DEVICE unsigned to_tf32(float x) { return x != x ? 0x7fffffffu : (emulator::bits(x) + 0x1000u) & 0xffffe000u; }
DEVICE unsigned to_bf16_pair(float low, float high) { return emulator::bf16_bits(low) | emulator::bf16_bits(high) << 16; }
