// One source, two compilers: clang (device code, no CUDA SDK) and g++ (host emulation, -DVAE_EMULATOR).
// Everything a kernel may use from "CUDA" is named here; a kernel file includes this and nothing of NVIDIA's.
#pragma once

#if defined(VAE_EMULATOR)
#include "emulator.h"
#else

#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
typedef __SIZE_TYPE__ size_t;
struct float2 { float x, y; } __attribute__((aligned(8)));
struct float4 { float x, y, z, w; } __attribute__((aligned(16)));
struct uint4 { unsigned x, y, z, w; } __attribute__((aligned(16)));
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
#include <__clang_cuda_builtin_vars.h>  // part of clang: threadIdx, blockIdx, blockDim, gridDim

#define DEVICE static __device__ inline __attribute__((always_inline))
#define DEVICE_MEMBER __device__ inline __attribute__((always_inline))

DEVICE float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
DEVICE void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
DEVICE void __threadfence() { __nvvm_membar_gl(); }
DEVICE unsigned atomicInc(unsigned* p, unsigned limit) { return __nvvm_atom_inc_gen_ui(p, limit); }

// ---- PTX that has no C++ spelling; the emulator has host versions of the same names.

// A read that another block's write must be visible to: past the first-level cache.
DEVICE float load_shared_by_blocks(const float* p) { return *reinterpret_cast<const volatile float*>(p); }

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

// Four 8 x 8 matrices of bf16 from shared memory: lane l gives the address of row l % 8 of matrix l / 8, 16 bytes, and gets from each
// matrix columns 2 (l % 4) and the next of row l / 4.
DEVICE void load_matrices(unsigned (&d)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(shared_address(row)) : "memory");
}

// d [16, 8] += a [16, 8] b [8, 8] on the tensor cores. With g = lane / 4 and t = lane % 4 a lane holds
// a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b: (t, g), (t + 4, g); d: (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
DEVICE void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d [16, 8] += a [16, 16] b [16, 8]; where a lane of mma_tf32 holds column t (or t + 4) of a step of 8 it holds columns 2t and 2t + 1 (or
// those + 8) of one of 16.
DEVICE void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#define DYNAMIC_SHARED(name)                                                          \
    extern __shared__ __attribute__((aligned(128))) unsigned char dynamic_shared[]; \
    float* name = reinterpret_cast<float*>(dynamic_shared)
#define EXPORT(name)
#endif

#define KERNEL extern "C" __global__ void

DEVICE float2 make_float2(float x, float y) { return {x, y}; }
DEVICE float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
DEVICE unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }

// Division by a number known before the launch, as one multiplication: right for dividends below 2^31.
struct Divider {
    unsigned divisor, multiplier, shift;
    DEVICE_MEMBER unsigned divide(unsigned n) const { return divisor == 1 ? n : __umulhi(n, multiplier) >> shift; }
};
