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

#define KERNEL extern "C" __global__ void
#define ALL_LANES 0xffffffffu
#define INFINITY_F __uint_as_float(0x7f800000u)
#define NAN_F __uint_as_float(0x7fc00000u)

DEVICE bool is_aligned16(const void* p) { return (reinterpret_cast<size_t>(p) & 15) == 0; }
