using System.Numerics;

namespace VaeFromScratch.Engine.Data.Eeg;

/// <summary>Fourier transform of a power-of-two length, radix 2 in place.</summary>
internal sealed class Fft
{
    private readonly int[] reversed;
    private readonly Complex[] roots;

    public Fft(int length)
    {
        if (!BitOperations.IsPow2(length))
            throw new ArgumentException($"fft: length {length}; use a power of two");
        reversed = new int[length];
        roots = new Complex[length / 2];
        for (int i = 1; i < length; i++)
            reversed[i] = (reversed[i / 2] / 2) | ((i & 1) * (length / 2));
        for (int i = 0; i < roots.Length; i++)
            roots[i] = Complex.FromPolarCoordinates(1, -2 * Math.PI * i / length);
    }

    public int Length => reversed.Length;

    /// <summary>X[k] = sum over n of x[n] exp(-2 pi i k n / Length).</summary>
    public void Transform(Span<Complex> x)
    {
        for (int i = 0; i < reversed.Length; i++)
            if (reversed[i] > i)
                (x[i], x[reversed[i]]) = (x[reversed[i]], x[i]);
        for (int half = 1; half < Length; half *= 2)
        {
            int step = Length / (2 * half);
            for (int start = 0; start < Length; start += 2 * half)
                for (int k = 0; k < half; k++)
                {
                    var (even, odd) = (x[start + k], x[start + k + half]);
                    var root = roots[k * step];
                    var turned = new Complex(odd.Real * root.Real - odd.Imaginary * root.Imaginary, odd.Real * root.Imaginary + odd.Imaginary * root.Real);
                    x[start + k] = even + turned;
                    x[start + k + half] = even - turned;
                }
        }
    }
}
