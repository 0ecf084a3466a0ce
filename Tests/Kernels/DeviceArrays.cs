using VaeFromScratch.Kernels;

namespace VaeFromScratch.Tests.Kernels;

/// <summary>Arrays between the host and a device, and numbers as bf16 and tf32 hold them.</summary>
internal static class DeviceArrays
{
    public static Slice<float> Upload(IBackend backend, BufferPool pool, float[] values)
    {
        var slice = pool.Rent<float>(values.Length);
        backend.Upload<float>(values, slice);
        return slice;
    }

    public static float[] Download(IBackend backend, Slice<float> slice)
    {
        var values = new float[slice.Length];
        backend.Download<float>(slice, values);
        return values;
    }

    /// <summary>To nearest, ties to even: 16 bits of a float32 are left.</summary>
    public static float ToBf16(float x)
    {
        if (float.IsNaN(x))
            return x;
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
    }

    /// <summary>To nearest, ties away from zero: 19 bits of a float32 are left.</summary>
    public static float ToTf32(float x) =>
        float.IsNaN(x) ? x : BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(x) + 0x1000) & 0xffffe000);
}
