using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu.Simd;

/// <summary>One number in double precision, as kernels take vectors.</summary>
internal readonly struct WideDouble(double value) : IWide<WideDouble>
{
    public readonly double Value = value;

    public static implicit operator WideDouble(double value) => new(value);
    public static explicit operator float(WideDouble a) => (float)a.Value;
    public static WideDouble Of(float value) => new(value);
    public static WideDouble operator +(WideDouble a, WideDouble b) => new(a.Value + b.Value);
    public static WideDouble operator -(WideDouble a, WideDouble b) => new(a.Value - b.Value);
    public static WideDouble operator *(WideDouble a, WideDouble b) => new(a.Value * b.Value);
    public static WideDouble operator /(WideDouble a, WideDouble b) => new(a.Value / b.Value);
    public static WideDouble Log(WideDouble a) => new(Math.Log(a.Value));
    public static WideDouble AtLeast(WideDouble x, WideDouble bound) => x.Value < bound.Value ? bound : x;
    public static WideDouble AtMost(WideDouble x, WideDouble bound) => x.Value > bound.Value ? bound : x;
}
