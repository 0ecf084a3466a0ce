using VaeFromScratch.Kernels;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch;

/// <summary>
/// The values that a parameter starts with. They are made when they are needed, so that a network's size is known before memory is taken
/// for it.
/// </summary>
/// <param name="Count">How many values there are.</param>
/// <param name="Make">Makes them, in memory layout; the same whenever it is called.</param>
public readonly record struct InitialValues(int Count, Func<float[]> Make);

/// <summary>Initial weights as PyTorch's layers have by default, from a host random stream.</summary>
public sealed class Initialise(ulong seed, uint stream = 0x494e4954)
{
    private uint draw;
    private bool draws = true;

    /// <summary>Zeros in place of draws: for networks whose weights come from a file.</summary>
    public static Initialise Nothing() => new(0) { draws = false };

    /// <summary>
    /// Uniform in (-1 / sqrt(fanIn), 1 / sqrt(fanIn)): PyTorch's default for the weights and biases of linear and convolutional layers.
    /// </summary>
    /// <param name="scale">Factor on all of them.</param>
    public InitialValues Uniform(int count, int fanIn, double scale = 1)
    {
        uint own = draw++;
        return new(count, () => Draw(own, count, (float)scale / MathF.Sqrt(fanIn)));
    }

    private float[] Draw(uint draw, int count, float bound)
    {
        var values = new float[count];
        for (int i = 0; draws && i < count; i += 4)
        {
            var (a, b, c, d) = Philox.Words((uint)(i / 4), 0, draw, stream, (uint)seed, (uint)(seed >> 32));
            ReadOnlySpan<uint> words = [a, b, c, d];
            for (int j = 0; j < Math.Min(4, count - i); j++)
                values[i + j] = bound * ((words[j] >> 8) * (2f / (1 << 24)) - 1);
        }
        return values;
    }

    public static InitialValues Full(int count, float value) => new(count, () =>
    {
        var values = new float[count];
        Array.Fill(values, value);
        return values;
    });
}
