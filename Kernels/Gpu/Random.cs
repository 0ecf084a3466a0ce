using ILGPU;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Random draws: a thread makes the four entries of one Philox counter.</summary>
internal sealed partial class GpuBackend
{
    public void Random(Distribution distribution, RandomDraw draw, Slice<float> y)
    {
        var arguments = new RandomArguments(View(draw.State), draw.Draw, View(y), y.Length);
        int counters = Groups(Require.Draw("random", draw, y.Length), 4);
        switch (distribution)
        {
            case Distribution.Normal:
                Each<RandomFill<NormalDraw>, RandomArguments>(counters, arguments);
                break;
            case Distribution.Gumbel:
                Each<RandomFill<GumbelDraw>, RandomArguments>(counters, arguments);
                break;
            default:
                Each<RandomFill<UniformDraw>, RandomArguments>(counters, arguments);
                break;
        }
    }
}

/// <summary>Two draws of two words.</summary>
internal interface IDistribution
{
    static abstract Lane Of(Lane a, Lane b, out Lane second);
}

internal readonly struct UniformDraw : IDistribution
{
    public static Lane Of(Lane a, Lane b, out Lane second)
    {
        second = Draw.Uniform(b);
        return Draw.Uniform(a);
    }
}

internal readonly struct NormalDraw : IDistribution
{
    public static Lane Of(Lane a, Lane b, out Lane second) => Draw.Normal(a, b, out second);
}

internal readonly struct GumbelDraw : IDistribution
{
    public static Lane Of(Lane a, Lane b, out Lane second)
    {
        second = Draw.Gumbel(b);
        return Draw.Gumbel(a);
    }
}

/// <summary>Entries 4 counter .. 4 counter + 3 of a draw.</summary>
internal static class Draws
{
    public static Four Of<D>(ArrayView<uint> state, uint draw, uint counter) where D : struct, IDistribution
    {
        var (x, y, z, w) = Philox.Words(counter, state[2], draw, state[3], state[0], state[1]);
        Four draws = default;
        draws.X = D.Of(Lane.FromBits(x), Lane.FromBits(y), out Lane second);
        draws.Y = second;
        draws.Z = D.Of(Lane.FromBits(z), Lane.FromBits(w), out second);
        draws.W = second;
        return draws;
    }
}

internal readonly record struct RandomArguments(ArrayView<uint> State, uint Draw, ArrayView<float> Y, int N);

internal readonly struct RandomFill<D> : IEntry<RandomArguments> where D : struct, IDistribution
{
    public static void Of(RandomArguments a, int counter)
    {
        int i = 4 * counter;
        var draws = Draws.Of<D>(a.State, a.Draw, (uint)counter);
        for (int end = IntrinsicMath.Min(a.N, i + 4); i < end; i++, draws.MoveUp(0f))
            a.Y[i] = draws.X;
    }
}
