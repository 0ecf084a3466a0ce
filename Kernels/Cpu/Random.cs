using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Random draws: each entry is a pure function of its index, so any part can be made alone.</summary>
internal sealed unsafe partial class CpuBackend
{
    /// <summary>Floats a part: draws are dear, so parts are small.</summary>
    private const int RandomChunk = 8192;

    public void Random(Distribution distribution, RandomDraw draw, Slice<float> y)
    {
        Require.Draw("random", draw, y.Length);
        ForEach((y.Length + RandomChunk - 1) / RandomChunk, new RandomJob(distribution, new(draw.State, draw.Draw), y.Pointer, y.Length));
    }

    public void Shuffle(RandomDraw draw, Slice<int> order)
    {
        Require.Draw("shuffle", draw, order.Length);
        var items = order.AsSpan();
        for (int i = 0; i < items.Length; i++)
            items[i] = i;
        uint* state = draw.State.Pointer;
        new Philox(state[0] | (ulong)state[1] << 32, state[2], state[3], draw.Draw).Shuffle(items);
    }

    private readonly struct RandomJob(Distribution distribution, PhiloxLanes philox, float* y, int length) : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int from = part * RandomChunk, count = Math.Min(RandomChunk, length - from);
            switch (distribution)
            {
                case Distribution.Normal:
                    Draws.Fill<NormalDraw, V>(philox, from, y + from, count);
                    break;
                case Distribution.Gumbel:
                    Draws.Fill<GumbelDraw, V>(philox, from, y + from, count);
                    break;
                default:
                    Draws.Fill<UniformDraw, V>(philox, from, y + from, count);
                    break;
            }
        }
    }
}
