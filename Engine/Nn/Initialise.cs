using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Engine.Nn;

/// <summary>Initial weights as PyTorch's layers have by default, from a host random stream.</summary>
public sealed class Initialise(ulong seed, uint stream = 0x494e4954)
{
    private uint draw;

    /// <summary>Uniform in (-1 / sqrt(fanIn), 1 / sqrt(fanIn)): PyTorch's default for the weights and biases of linear and convolutional layers.</summary>
    /// <param name="scale">Factor on all of them.</param>
    public float[] Uniform(int count, int fanIn, double scale = 1)
    {
        float bound = (float)scale / MathF.Sqrt(fanIn);
        var values = new float[count];
        for (int i = 0; i < count; i += 4)
        {
            var (a, b, c, d) = Philox.Words((uint)(i / 4), 0, draw, stream, (uint)seed, (uint)(seed >> 32));
            ReadOnlySpan<uint> words = [a, b, c, d];
            for (int j = 0; j < Math.Min(4, count - i); j++)
                values[i + j] = bound * ((words[j] >> 8) * (2f / (1 << 24)) - 1);
        }
        draw++;
        return values;
    }

    public static float[] Full(int count, float value)
    {
        var values = new float[count];
        Array.Fill(values, value);
        return values;
    }
}
