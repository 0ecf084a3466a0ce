using System.Numerics;
using MathNet.Numerics.IntegralTransforms;

namespace VaeFromScratch.Data.Eeg;

/// <summary>A range of frequencies, in Hz: <paramref name="Low"/> belongs to it, <paramref name="High"/> to the next.</summary>
internal sealed record Band(string Name, int Low, int High);

/// <summary>The power of frequency bands in each second of a signal.</summary>
internal static class BandPower
{
    /// <summary>The bands of paper 1: alpha 8 to 13 Hz, beta 13 to 30 Hz, gamma 30 to 45 Hz.</summary>
    public static IReadOnlyList<Band> Bands { get; } = [new("alpha", 8, 13), new("beta", 13, 30), new("gamma", 30, 45)];

    /// <summary>
    /// The mean square of the signal's part in each band, second by second, from the Fourier transform of that second without a taper: the
    /// sum over the
    /// band's whole frequencies of 2 |X_k|^2 / N^2, in squared units of the signal.
    /// </summary>
    /// <returns>[Trials, seconds, bands, channels].</returns>
    public static float[] PerSecond(EegRecording recording, IReadOnlyList<Band> bands)
    {
        int seconds = recording.Seconds;
        float[] power = new float[recording.Trials * seconds * bands.Count * recording.Channels];
        Parallel.For(0, recording.Trials, trial =>
        {
            var spectrum = new Complex[EegRecording.SamplesPerSecond];
            for (int second = 0; second < seconds; second++)
            {
                var frame = power.AsSpan((trial * seconds + second) * bands.Count * recording.Channels, bands.Count * recording.Channels);
                for (int channel = 0; channel < recording.Channels; channel += 2)
                {
                    // Two real signals share one complex transform, as its real and imaginary parts.
                    int other = Math.Min(channel + 1, recording.Channels - 1);
                    var first = recording.Second(trial, channel, second);
                    var next = recording.Second(trial, other, second);
                    for (int i = 0; i < spectrum.Length; i++)
                        spectrum[i] = new(first[i], next[i]);
                    Fourier.Forward(spectrum, FourierOptions.NoScaling);
                    for (int band = 0; band < bands.Count; band++)
                        (frame[band * recording.Channels + channel], frame[band * recording.Channels + other]) =
                            Power(spectrum, bands[band]);
                }
            }
        });
        return power;
    }

    private static (float First, float Second) Power(ReadOnlySpan<Complex> spectrum, Band band)
    {
        int n = spectrum.Length;
        double first = 0, second = 0;
        for (int k = band.Low; k < band.High; k++)
        {
            Complex plus = spectrum[k], minus = Complex.Conjugate(spectrum[n - k]);
            var (a, b) = ((plus + minus) / 2, (plus - minus) / 2);
            first += a.Real * a.Real + a.Imaginary * a.Imaginary;
            second += b.Real * b.Real + b.Imaginary * b.Imaginary;
        }
        double scale = 2.0 / ((double)n * n);
        return ((float)(first * scale), (float)(second * scale));
    }
}
