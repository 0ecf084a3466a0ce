using MathNet.Numerics.Distributions;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Tests.Estimators;

/// <summary>Data whose information is known, and numbers that NumPy makes with the same bits.</summary>
internal static class Synthetic
{
    public static readonly CpuBackend Backend = new(threads: 2);

    /// <summary>
    /// SplitMix64 of salt 2^32 + i, its upper 24 bits as a number in [0, 1): as uniform() in Tests/Interop/estimators.py.
    /// </summary>
    public static double[] Uniform(int n, ulong salt)
    {
        var u = new double[n];
        for (int i = 0; i < n; i++)
        {
            ulong x = (salt << 32) + (ulong)i + 0x9E3779B97F4A7C15;
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
            u[i] = ((x ^ (x >> 31)) >> 40) / (double)(1 << 24);
        }
        return u;
    }

    /// <summary>The quantiles (i + 1/2) / n of N(0, 1) in an order given by the salt: a sample whose moments are exact.</summary>
    public static double[] Normal(int n, ulong salt)
    {
        var x = new double[n];
        for (int i = 0; i < n; i++)
            x[i] = MathNet.Numerics.Distributions.Normal.InvCDF(0, 1, (i + 0.5) / n);
        Array.Sort(Uniform(n, salt), x);
        return x;
    }

    /// <summary>
    /// Encodings mu_h = a_h x_h, sigma_h^2 = s2_h with independent Gaussian x_h and unit aggregate variance, so that I(x; z_h) = 1/2 log(1
    /// + a^2 / s2) is
    /// <paramref name="information"/>[h].
    /// </summary>
    public static Encodings Gaussian(int points, params double[] information)
    {
        int factors = information.Length;
        var (mu, logVar) = (new float[points * factors], new float[points * factors]);
        for (int h = 0; h < factors; h++)
        {
            double s2 = Math.Exp(-2 * information[h]), a = Math.Sqrt(1 - s2);
            var x = Normal(points, 1000 + (ulong)h);
            for (int m = 0; m < points; m++)
            {
                mu[m * factors + h] = (float)(a * x[m]);
                logVar[m * factors + h] = (float)(-2 * information[h]);
            }
        }
        return new(points, factors, mu, logVar);
    }

    /// <summary>As encodings() in Tests/Interop/estimators.py: 400 points of 5 factors and 3 categories.</summary>
    public static Encodings NumPyEncodings(int points = 400)
    {
        const int Factors = 5, Categories = 3;
        var (mu, logVar, p) = (new double[points, Factors], new double[points, Factors], new double[points, Categories]);
        for (int h = 0; h < Factors; h++)
        {
            var (u, v) = (Uniform(points, 40 + (ulong)h), Uniform(points, 50 + (ulong)h));
            for (int m = 0; m < points; m++)
            {
                mu[m, h] = (u[m] - 0.5) * 2 * h + (h == 4 ? mu[m, 3] : 0);
                logVar[m, h] = -h + (v[m] - 0.5);
            }
        }
        for (int k = 0; k < Categories; k++)
        {
            var u = Uniform(points, 60 + (ulong)k);
            for (int m = 0; m < points; m++)
                p[m, k] = 0.05 + u[m] * u[m] * u[m];
        }
        for (int m = 0; m < points; m++)
        {
            double sum = p[m, 0] + p[m, 1] + p[m, 2];
            for (int k = 0; k < Categories; k++)
                p[m, k] /= sum;
        }
        return new(points, Factors, Flatten(mu), Flatten(logVar), Flatten(p));
    }

    public static float[] Flatten(double[,] x) => [.. x.Cast<double>().Select(v => (float)v)];

    /// <summary>The same points with factor order[h] in place h, times sign[h].</summary>
    public static Encodings Rearrange(Encodings e, int[] order, int[] sign)
    {
        var (mu, logVar) = (new float[e.Mu.Length], new float[e.Mu.Length]);
        for (int m = 0; m < e.Points; m++)
            for (int h = 0; h < e.Factors; h++)
            {
                mu[m * e.Factors + h] = sign[h] * e.Mu.Span[m * e.Factors + order[h]];
                logVar[m * e.Factors + h] = e.LogVar.Span[m * e.Factors + order[h]];
            }
        return new(e.Points, e.Factors, mu, logVar);
    }
}
