// One source, three compilers: clang (device code, no CUDA SDK), NVRTC (device code at run time) and g++ (host emulation, -DVAE_EMULATOR).
// Everything a kernel may use from "CUDA" is named here; a kernel file includes this and nothing of NVIDIA's.
#pragma once

#if defined(VAE_EMULATOR)
#include "emulator.h"
#else

#if defined(__clang__) && defined(__CUDA__) && !defined(__CUDACC_RTC__)
// clang without an SDK: the keywords, vector types and intrinsics that NVRTC brings along.
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __align__(n) __attribute__((aligned(n)))
typedef __SIZE_TYPE__ size_t;
struct float2 { float x, y; } __attribute__((aligned(8)));
struct float4 { float x, y, z, w; } __attribute__((aligned(16)));
struct uint2 { unsigned x, y; } __attribute__((aligned(8)));
struct uint4 { unsigned x, y, z, w; } __attribute__((aligned(16)));
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
#include <__clang_cuda_builtin_vars.h>  // part of clang: threadIdx, blockIdx, blockDim, gridDim
#define VAE_INTRINSIC static __device__ __forceinline__
VAE_INTRINSIC float2 make_float2(float x, float y) { float2 r = {x, y}; return r; }
VAE_INTRINSIC float4 make_float4(float x, float y, float z, float w) { float4 r = {x, y, z, w}; return r; }
VAE_INTRINSIC void __syncwarp() { __nvvm_bar_warp_sync(0xffffffffu); }
VAE_INTRINSIC void __threadfence() { __nvvm_membar_gl(); }
VAE_INTRINSIC float __shfl_xor_sync(unsigned mask, float v, int lanes) { return __nvvm_shfl_sync_bfly_f32(mask, v, lanes, 0x1f); }
VAE_INTRINSIC unsigned atomicInc(unsigned* p, unsigned limit) { return __nvvm_atom_inc_gen_ui(p, limit); }
VAE_INTRINSIC unsigned atomicMax(unsigned* p, unsigned v) { return __nvvm_atom_max_gen_ui(p, v); }
VAE_INTRINSIC unsigned atomicMin(unsigned* p, unsigned v) { return __nvvm_atom_min_gen_ui(p, v); }
VAE_INTRINSIC unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
VAE_INTRINSIC float __uint_as_float(unsigned u) { return __builtin_bit_cast(float, u); }
VAE_INTRINSIC unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
VAE_INTRINSIC float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
VAE_INTRINSIC float fmaxf(float a, float b) { return __builtin_fmaxf(a, b); }
VAE_INTRINSIC float fminf(float a, float b) { return __builtin_fminf(a, b); }
VAE_INTRINSIC float fabsf(float a) { return __builtin_fabsf(a); }
VAE_INTRINSIC float rintf(float a) { return __builtin_rintf(a); }
VAE_INTRINSIC float floorf(float a) { return __builtin_floorf(a); }
VAE_INTRINSIC float sqrtf(float a) { return __nvvm_sqrt_rn_f(a); }
#undef VAE_INTRINSIC
#endif

#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__

// ---- PTX that has no C++ spelling; the emulator has host versions of the same names.

DEVICE float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
DEVICE void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }

// Two words of global memory, or four: one of two loads by a predicate, for which the compiler would make a branch. The other two words are anything.
DEVICE uint4 load_4_or_2_words(const void* p, bool four)
{
    uint4 v;
    asm volatile("{ .reg .pred four; setp.ne.u32 four, %5, 0; @four ld.global.v4.u32 {%0, %1, %2, %3}, [%4]; @!four ld.global.v2.u32 {%0, %1}, [%4]; }"
        : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p), "r"((unsigned)four) : "memory");
    return v;
}

// A read that another block's write must be visible to: past the first-level cache.
DEVICE float load_shared_by_blocks(const float* p) { return *reinterpret_cast<const volatile float*>(p); }

// The first statement of every kernel: launches may overlap (docs/cuda-kernels.md, section 6). It lets the next kernel be dispatched and waits until the earlier ones have ended and
// their writes can be seen; nothing is read or written before. The next kernel in turn waits until this one has ended, which has waited itself.
#if __CUDA_ARCH__ >= 900
#define AFTER_EARLIER_KERNELS() asm volatile("griddepcontrol.launch_dependents;\n\tgriddepcontrol.wait;" ::: "memory")
// A kernel begins while the one before it still writes, so what it reads is not constant for as long as it runs. __restrict__ on a pointer to const promises just that: loads would
// become ld.global.nc, which neither the compiler nor the cache has to keep behind the wait.
#define __restrict__
#else
#define AFTER_EARLIER_KERNELS()
#endif

#if __CUDA_ARCH__ >= 800
DEVICE unsigned shared_address(const void* p)
{
    unsigned a;
    asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(a) : "l"(p));
    return a;
}

// Copies 4 * N bytes to shared memory without passing through registers, or zeros when !valid; nothing is read then.
template<int N> DEVICE void copy_async(float* to, const float* from, bool valid)
{
    const int bytes = valid ? 4 * N : 0;
    if constexpr (N == 4)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes) : "memory");
}
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template<int Pending> DEVICE void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory"); }

// To tf32 (10 bits of mantissa), to nearest, ties away from zero.
DEVICE unsigned to_tf32(float x)
{
    unsigned r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return r;
}

// Both to bf16 (7 bits of mantissa), to nearest, ties to even; `low` in the lower half of the word.
DEVICE unsigned to_bf16_pair(float low, float high)
{
    unsigned r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}

// Four 8 x 8 matrices of bf16 from shared memory: lane l gives the address of row l % 8 of matrix l / 8, 16 bytes, and gets from each matrix columns 2 (l % 4) and the next of row l / 4.
DEVICE void load_matrices(unsigned (&d)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(shared_address(row)) : "memory");
}

// d [16, 8] += a [16, 8] b [8, 8] on the tensor cores. With g = lane / 4 and t = lane % 4 a lane holds
// a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b: (t, g), (t + 4, g); d: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
DEVICE void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d [16, 8] += a [16, 16] b [16, 8]; where a lane of mma_tf32 holds column t (or t + 4) of a step of 8 it holds columns 2t and 2t + 1 (or those + 8) of one of 16.
DEVICE void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#else
// Without the instruction, for kernels that may be asked to write bf16.
DEVICE unsigned to_bf16(float x)
{
    const unsigned u = __float_as_uint(x);
    return x != x ? 0x7fffu : (u + 0x7fffu + (u >> 16 & 1)) >> 16;
}
DEVICE unsigned to_bf16_pair(float low, float high) { return to_bf16(low) | to_bf16(high) << 16; }
#endif

#if __CUDA_ARCH__ >= 900
// ---- clusters: blocks that run at the same time and can wait for each other; how many is said at the launch. Every block of a cluster has its own shared memory.
DEVICE unsigned cluster_rank()
{
    unsigned r;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
    return r;
}
DEVICE unsigned cluster_size()
{
    unsigned r;
    asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(r));
    return r;
}
// By every thread of the cluster: what any of them wrote before it arrived, to global memory too, all of them see after they have waited. In between there is time for something else.
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
#endif

#if __CUDA_ARCH__ == 900 && defined(__CUDA_ARCH_FEAT_SM90_ALL)
// ---- wgmma: four warps (a warpgroup) multiply tiles that lie in shared memory, asynchronously.
// The hardware reads those through a path of its own (the async proxy), to which ordinary stores are visible only after fence_operands() and a barrier.
// In PTX, because the compiler takes some of these stores apart.
DEVICE void store_operand(uint4* to, uint4 v) { asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(to)), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory"); }
DEVICE void fence_operands() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Before the first product, and after anything else has touched the registers that hold its sums.
DEVICE void warpgroup_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void warpgroup_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template<int Pending> DEVICE void warpgroup_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory"); }

// ---- The copy engine (TMA) brings a box of a matrix into shared memory by itself; an mbarrier, eight bytes of shared memory, tells when it is there.
// What the driver writes about the matrix and the box (cuTensorMapEncodeTiled). A kernel takes it by value: in memory it would need a fence of its own.
struct __align__(64) TensorMap { unsigned long long words[16]; };
typedef unsigned long long Mbarrier;

// The address of the kernel's parameter number `index`. Taken by the name that the parameter has in PTX, because a compiler that knows no __grid_constant__ (clang 19) would make a
// copy in local memory and give the address of that.
#define TENSOR_MAP(name, kernel, index, parameter)                                                                        \
    const TensorMap* name;                                                                                               \
    asm("{ .reg .b64 t; mov.b64 t, " TENSOR_MAP_TEXT(kernel) "_param_" #index "; cvta.param.u64 %0, t; }" : "=l"(name))
#define TENSOR_MAP_TEXT(name) #name

// For as many arrivals. The copy engine sees it only after fence_operands(), other threads after a barrier.
DEVICE void mbarrier_init(Mbarrier* barrier, unsigned arrivals) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory"); }

// One arrival; the phase ends only when as many bytes have landed besides.
DEVICE void mbarrier_arrive_expecting(Mbarrier* barrier, unsigned bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}

// Until the phase of this parity has ended: 0 for the first, then 1 and 0 in turn. What has landed by then can be read, by wgmma as well.
DEVICE void mbarrier_wait(Mbarrier* barrier, unsigned parity)
{
    unsigned ended;
    do
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }" : "=r"(ended) : "r"(shared_address(barrier)), "r"(parity) : "memory");
    while (!ended);
}

// Asks for the box whose first element is at this column and row. Of what lies outside the matrix zeros come, which count as bytes like the rest.
DEVICE void copy_tile_async(void* to, const TensorMap* map, int column, int row, Mbarrier* barrier)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
        ::"r"(shared_address(to)), "l"(map), "r"(column), "r"(row), "r"(shared_address(barrier)) : "memory");
}

#define SUMS_16(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7]), \
    "+f"(d[i + 8]), "+f"(d[i + 9]), "+f"(d[i + 10]), "+f"(d[i + 11]), "+f"(d[i + 12]), "+f"(d[i + 13]), "+f"(d[i + 14]), "+f"(d[i + 15])
#define PLACES_16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define PLACES_32 PLACES_16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define PLACES_64 PLACES_32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define PLACES_128 PLACES_64 ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95" \
    ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define SUMS_64(d, i) SUMS_16(d, i), SUMS_16(d, i + 16), SUMS_16(d, i + 32), SUMS_16(d, i + 48)
// The predicate says that the sums are added to; the two ones after it that neither operand is negated; bf16's last two whether the first and the
// second lie across k.
#define WGMMA(shape_and_types, places, a_place, b_place, transposed, ...)                                                                     \
    asm volatile("{ .reg .pred add; setp.ne.b32 add, 1, 0; wgmma.mma_async.sync.aligned." shape_and_types " {" places "}, %" a_place ", %" b_place ", add, 1, 1" transposed "; }" \
        : __VA_ARGS__ : "l"(a), "l"(b))

// d [64, 2 Sums] += a [64, 8] b [8, 2 Sums] in tf32, or a [64, 16] b [16, 2 Sums] in bf16; a and b are descriptors (see operand_descriptor). Lane l of warp w of the warpgroup holds
// rows 16 w + l / 4 + 8 i and columns 8 j + 2 (l % 4) + e in d[4 j + 2 i + e].
#define WARPGROUP_MULTIPLY(name, depth_and_types, transposed)                                                             \
    template<int Sums> DEVICE void name(float (&d)[Sums], unsigned long long a, unsigned long long b)                    \
    {                                                                                                                    \
        if constexpr (Sums == 16)                                                                                        \
            WGMMA("m64n32" depth_and_types, PLACES_16, "16", "17", transposed, SUMS_16(d, 0));                           \
        else if constexpr (Sums == 32)                                                                                   \
            WGMMA("m64n64" depth_and_types, PLACES_32, "32", "33", transposed, SUMS_16(d, 0), SUMS_16(d, 16));           \
        else if constexpr (Sums == 64)                                                                                   \
            WGMMA("m64n128" depth_and_types, PLACES_64, "64", "65", transposed, SUMS_64(d, 0));                          \
        else                                                                                                             \
            WGMMA("m64n256" depth_and_types, PLACES_128, "128", "129", transposed, SUMS_64(d, 0), SUMS_64(d, 64));       \
    }

WARPGROUP_MULTIPLY(warpgroup_multiply_tf32, "k8.f32.tf32.tf32", "")
WARPGROUP_MULTIPLY(warpgroup_multiply_bf16, "k16.f32.bf16.bf16", ", 0, 0")
WARPGROUP_MULTIPLY(warpgroup_multiply_bf16_across, "k16.f32.bf16.bf16", ", 1, 1")
#endif

#define DYNAMIC_SHARED(name)                                       \
    extern __shared__ __align__(128) unsigned char dynamic_shared[]; \
    float* name = reinterpret_cast<float*>(dynamic_shared)
#define EXPORT(name)
#endif

#if defined(VAE_EMULATOR) || __CUDA_ARCH__ >= 800
#define HAS_TENSOR_CORES 1
#else
#define HAS_TENSOR_CORES 0
#endif

#if defined(VAE_EMULATOR) || (__CUDA_ARCH__ == 900 && defined(__CUDA_ARCH_FEAT_SM90_ALL))
#define HAS_WGMMA 1
#else
#define HAS_WGMMA 0
#endif

#if defined(VAE_EMULATOR) || __CUDA_ARCH__ >= 900
#define HAS_CLUSTERS 1
#else
#define HAS_CLUSTERS 0
#endif

#define KERNEL extern "C" __global__ void
#define ALL_LANES 0xffffffffu
#define INFINITY_F __uint_as_float(0x7f800000u)
#define NAN_F __uint_as_float(0x7fc00000u)

DEVICE bool is_aligned16(const void* p) { return (reinterpret_cast<size_t>(p) & 15) == 0; }
