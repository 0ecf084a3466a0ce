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

/// <summary>Four floats, which are loaded together.</summary>
internal struct Quad
{
    public float X, Y, Z, W;
}

/// <summary>The four draws of a counter.</summary>
internal interface IDistribution
{
    static abstract Quad Of(uint x, uint y, uint z, uint w);
}

internal readonly struct UniformDraw : IDistribution
{
    public static Quad Of(uint x, uint y, uint z, uint w)
    {
        Quad draws = default;
        draws.X = Draw.Uniform(Lane.FromBits(x));
        draws.Y = Draw.Uniform(Lane.FromBits(y));
        draws.Z = Draw.Uniform(Lane.FromBits(z));
        draws.W = Draw.Uniform(Lane.FromBits(w));
        return draws;
    }
}

internal readonly struct NormalDraw : IDistribution
{
    public static Quad Of(uint x, uint y, uint z, uint w)
    {
        Quad draws = default;
        draws.X = Draw.Normal(Lane.FromBits(x), Lane.FromBits(y), out Lane sine);
        draws.Y = sine;
        draws.Z = Draw.Normal(Lane.FromBits(z), Lane.FromBits(w), out sine);
        draws.W = sine;
        return draws;
    }
}

internal readonly struct GumbelDraw : IDistribution
{
    public static Quad Of(uint x, uint y, uint z, uint w)
    {
        Quad draws = default;
        draws.X = Draw.Gumbel(Lane.FromBits(x));
        draws.Y = Draw.Gumbel(Lane.FromBits(y));
        draws.Z = Draw.Gumbel(Lane.FromBits(z));
        draws.W = Draw.Gumbel(Lane.FromBits(w));
        return draws;
    }
}

/// <summary>Entries 4 counter .. 4 counter + 3 of a draw.</summary>
internal static class Draws
{
    public static Quad Of<D>(ArrayView<uint> state, uint draw, uint counter) where D : struct, IDistribution
    {
        var (x, y, z, w) = Philox.Words(counter, state[2], draw, state[3], state[0], state[1]);
        return D.Of(x, y, z, w);
    }
}

internal readonly record struct RandomArguments(ArrayView<uint> State, uint Draw, ArrayView<float> Y, int N);

internal readonly struct RandomFill<D> : IKernel<RandomArguments> where D : struct, IDistribution
{
    public static void Run(RandomArguments a)
    {
        int counter = Threads.Number, i = 4 * counter;
        if (i >= a.N)
            return;
        var draws = Draws.Of<D>(a.State, a.Draw, (uint)counter);
        a.Y[i] = draws.X;
        if (i + 1 < a.N)
            a.Y[i + 1] = draws.Y;
        if (i + 2 < a.N)
            a.Y[i + 2] = draws.Z;
        if (i + 3 < a.N)
            a.Y[i + 3] = draws.W;
    }
}
