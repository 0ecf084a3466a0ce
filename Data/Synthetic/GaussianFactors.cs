namespace VaeFromScratch.Data.Synthetic;

/// <summary>What is added to a clean picture, in units of [0, 1] pixels.</summary>
internal enum PlantedNoise
{
    None,
    /// <summary>One variance everywhere: (N1), (N2).</summary>
    Gaussian,
    /// <summary>A variance for each pixel, larger from left to right: (N3).</summary>
    PerPixel,
    /// <summary>Two variances, one pixel in ten taking the larger: (N4).</summary>
    Mixture,
}

/// <summary>Settings of <see cref="GaussianFactors"/>.</summary>
internal sealed record GaussianFactorOptions
{
    /// <summary>P, the number of factors.</summary>
    public int Factors { get; init; } = 8;

    public PlantedNoise Noise { get; init; }

    /// <summary>
    /// Values of the label, on which each factor's standard deviation depends: 1/4 to 2, drawn by the seed; 0 for no labels and unit
    /// variances.
    /// </summary>
    public int Segments { get; init; }

    /// <summary>
    /// Standard deviation of the noise: the only one, the mean over pixels, or the smaller of two, of which the other is five times as
    /// large.
    /// </summary>
    public double Deviation { get; init; } = 0.05;

    public ulong Seed { get; init; } = 1;
}

/// <summary>
/// Images phi(y) of P independent standard normal factors y under a fixed random map phi that is smooth and one-to-one, so that a set's
/// intrinsic dimension
/// is known (R1), with noise of known variance if it is asked for.
/// </summary>
/// <remarks>
/// phi(y) = 1/2 + a A tanh(0.6 (u + 1/2 sin u)), u = B y, is one-to-one by its form: B is orthogonal, u + 1/2 sin u and tanh grow strictly,
/// and the columns of A,
/// smooth waves over the picture, are orthogonal.
/// </remarks>
internal sealed class GaussianFactors
{
    public const int Side = 28;
    private const int Pixels = Side * Side;
    private const uint MapStream = 0x676D6170, DrawStream = 0x67647261, SpreadStream = 0x67737072;
    /// <summary>Standard deviation of the signal, in pixels of [0, 1]: five of them reach the ends, so clamping is rare.</summary>
    private const double Amplitude = 0.1;

    private readonly GaussianFactorOptions options;
    private readonly double[,] mixing, patterns;

    /// <exception cref="ArgumentException">There are fewer than 1 or more than 64 factors, or the deviation is negative.</exception>
    public GaussianFactors(GaussianFactorOptions? options = null)
    {
        this.options = options ?? new();
        int p = this.options.Factors;
        if (this.options.Segments is < 0 or > 256)
            throw new ArgumentException($"gaussian factors: {this.options.Segments} segments; give 0 to 256");
        if (p is < 1 or > 64 || this.options.Deviation < 0)
            throw new ArgumentException(
                $"gaussian factors: {p} factors with deviation {this.options.Deviation}; give 1 to 64 and 0 or more");
        mixing = Orthogonal(p, p, item: 0, smooth: false);
        patterns = Orthogonal(Pixels, p, item: 1, smooth: true);
    }

    /// <summary>The variance of the noise in a pixel, as <see cref="PlantedNoise"/> says; for a mixture the mean of both.</summary>
    public double NoiseVariance(int pixel)
    {
        double variance = options.Deviation * options.Deviation;
        return options.Noise switch
        {
            PlantedNoise.Gaussian => variance,
            PlantedNoise.PerPixel => Square(options.Deviation * 2 * (pixel % Side + 0.5) / Side),
            PlantedNoise.Mixture => 0.9 * variance + 0.1 * 25 * variance,
            _ => 0,
        };
    }

    /// <summary>The clean picture of some factors, [28, 28]: D values around 1/2.</summary>
    public double[] Picture(ReadOnlySpan<double> y)
    {
        double[] picture = new double[Pixels];
        Array.Fill(picture, 0.5);
        for (int i = 0; i < y.Length; i++)
        {
            double u = 0;
            for (int j = 0; j < y.Length; j++)
                u += mixing[i, j] * y[j];
            // The scale gives each value about unit variance, and the columns' length one Amplitude a pixel and root of P.
            double value = 2 * Math.Tanh(0.6 * (u + 0.5 * Math.Sin(u)));
            for (int pixel = 0; pixel < Pixels; pixel++)
                picture[pixel] += Amplitude / Math.Sqrt(y.Length) * Math.Sqrt(Pixels) * patterns[pixel, i] * value;
        }
        return picture;
    }

    /// <summary>
    /// Draws images; any prefix of a longer set is the shorter set. The factors are in <see cref="ImageDataset.Factors"/>, their classes
    /// being the ten deciles of the normal distribution.
    /// </summary>
    public ImageDataset Create(int count, string split = "all")
    {
        int p = options.Factors;
        byte[] pixels = new byte[count * Pixels];
        int[] sizes = new int[p];
        Array.Fill(sizes, Deciles.Length + 1);
        var truth = new GroundTruth([.. Enumerable.Range(1, p).Select(i => $"y{i}")], sizes, new int[count * p], new float[count * p]);
        uint part = split == "test" ? 1u : 0;
        byte[]? labels = options.Segments > 0 ? new byte[count] : null;
        string name = options.Noise switch
        {
            PlantedNoise.Gaussian => "synthetic-noise",
            PlantedNoise.PerPixel => "synthetic-noise-pixel",
            PlantedNoise.Mixture => "synthetic-noise-mixture",
            _ => options.Segments > 0 ? "synthetic-segments" : "synthetic-gaussian",
        };
        Parallel.For(0, count, image =>
        {
            var random = new HostRandom(options.Seed, DrawStream, (uint)image, part);
            double[] y = new double[p];
            if (labels is not null)
                labels[image] = (byte)random.Below(options.Segments);
            for (int i = 0; i < p; i++)
            {
                y[i] = random.Normal() * (labels is null ? 1 : Spread(labels[image], i));
                truth.Values[image * p + i] = (float)y[i];
                truth.Classes[image * p + i] = Deciles.Count(d => y[i] > d);
            }
            double[] picture = Picture(y);
            for (int pixel = 0; pixel < Pixels; pixel++)
                pixels[image * Pixels + pixel] = (byte)Math.Round(255 * Math.Clamp(picture[pixel] + Noise(pixel, ref random), 0, 1));
        });
        return new ImageDataset(name, split, count, Side, Side, Channels: 1, pixels, labels, options.Segments,
            ImageDataset.ByteScale)
        { Factors = truth }.CheckConsistency(name);
    }

    /// <summary>Standard deviation of a factor in a segment.</summary>
    public double Spread(int segment, int factor) => new HostRandom(options.Seed, SpreadStream, (uint)segment, (uint)factor).Uniform(0.25,
        2);

    public DatasetSplits CreateSplits(int train = 20_000, int test = 5_000) => new(Create(train, "train"), Create(test, "test"));

    private static double[] Deciles { get; } =
        [-1.2815515655, -0.8416212336, -0.5244005127, -0.2533471031, 0, 0.2533471031, 0.5244005127, 0.8416212336, 1.2815515655];

    private double Noise(int pixel, ref HostRandom random)
    {
        if (options.Noise == PlantedNoise.None)
            return 0;
        bool wide = options.Noise == PlantedNoise.Mixture && random.Uniform() < 0.1;
        double deviation = options.Noise == PlantedNoise.Mixture ? options.Deviation * (wide ? 5 : 1) : Math.Sqrt(NoiseVariance(pixel));
        return deviation * random.Normal();
    }

    /// <summary>A random matrix with orthonormal columns, by Gram and Schmidt; smooth columns are low waves over the picture.</summary>
    private double[,] Orthogonal(int rows, int columns, uint item, bool smooth)
    {
        var random = new HostRandom(options.Seed, MapStream, item);
        double[,] matrix = new double[rows, columns];
        for (int column = 0; column < columns; column++)
        {
            if (smooth)
                AddWaves(matrix, column, ref random);
            else
                for (int row = 0; row < rows; row++)
                    matrix[row, column] = random.Normal();
            for (int earlier = 0; earlier < column; earlier++)
                Combine(matrix, column, earlier, -Dot(matrix, column, earlier));
            double length = Math.Sqrt(Dot(matrix, column, column));
            Combine(matrix, column, column, 1 / length - 1);
        }
        return matrix;
    }

    private static void AddWaves(double[,] matrix, int column, ref HostRandom random)
    {
        for (int wave = 0; wave < 100; wave++)
        {
            double weight = random.Normal(), fx = random.Uniform(-4, 4), fy = random.Uniform(-4, 4), phase = random.Uniform(0, 2 * Math.PI);
            for (int pixel = 0; pixel < Pixels; pixel++)
                matrix[pixel, column] += weight * Math.Cos(2 * Math.PI * (fx * (pixel % Side) + fy * (pixel / Side)) / Side + phase);
        }
    }

    private static double Dot(double[,] matrix, int a, int b)
    {
        double sum = 0;
        for (int row = 0; row < matrix.GetLength(0); row++)
            sum += matrix[row, a] * matrix[row, b];
        return sum;
    }

    private static void Combine(double[,] matrix, int to, int from, double factor)
    {
        for (int row = 0; row < matrix.GetLength(0); row++)
            matrix[row, to] += factor * matrix[row, from];
    }

    private static double Square(double x) => x * x;
}
