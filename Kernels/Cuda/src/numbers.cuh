// Numbers that may lie in memory as float32 or as bf16, decided as the kernel runs.
#pragma once
#include "prelude.cuh"

// An array of float32 or, in kernels that take both, of bf16: the halves of a float32, of which the upper 16 bits are kept.
struct Numbers {
    const float* p;
    bool half;
};

DEVICE float of_half(unsigned bits) { return __uint_as_float(bits << 16); }
DEVICE float of_upper_half(unsigned word) { return __uint_as_float(word & 0xffff0000u); }
DEVICE unsigned short to_half(float v) { return (unsigned short)(to_bf16_pair(v, 0.0f) & 0xffffu); }
DEVICE const unsigned short* halves(const float* p) { return reinterpret_cast<const unsigned short*>(p); }

DEVICE float load_number(Numbers from, size_t at) { return from.half ? of_half(halves(from.p)[at]) : from.p[at]; }
DEVICE float4 load_numbers4(Numbers from, size_t at)
{
    if (!from.half)
        return load4(from.p + at);
    const uint2 v = *reinterpret_cast<const uint2*>(halves(from.p) + at);
    return make_float4(of_half(v.x), of_upper_half(v.x), of_half(v.y), of_upper_half(v.y));
}

DEVICE void store_number(Numbers to, size_t at, float v)
{
    if (to.half)
        const_cast<unsigned short*>(halves(to.p))[at] = to_half(v);
    else
        const_cast<float*>(to.p)[at] = v;
}
DEVICE void store_numbers4(Numbers to, size_t at, float4 v)
{
    if (to.half)
        *reinterpret_cast<uint2*>(const_cast<unsigned short*>(halves(to.p)) + at) = uint2{to_bf16_pair(v.x, v.y), to_bf16_pair(v.z, v.w)};
    else
        store4(const_cast<float*>(to.p) + at, v);
}

// The bits of four numbers, in the first two words where they are bf16, and of one.
DEVICE uint4 load_raw4(Numbers from, size_t at) { return load_4_or_2_words(reinterpret_cast<const unsigned char*>(from.p) + (at << (from.half ? 1 : 2)), !from.half); }
DEVICE unsigned load_raw(Numbers from, size_t at) { return from.half ? halves(from.p)[at] : __float_as_uint(from.p[at]); }
