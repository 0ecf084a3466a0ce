namespace VaeFromScratch.Models.Evaluation;

/// <summary>For each of n images, the logarithm of the mean of numbers that are given by their logarithms, a chunk at a time.</summary>
internal sealed class LogMeans(int images)
{
    private readonly double[] largest = [.. Enumerable.Repeat(double.NegativeInfinity, images)];
    private readonly double[] sums = new double[images];
    private int count;

    /// <param name="logs">[at least <paramref name="rows"/>, images].</param>
    /// <param name="rows">Rows that count.</param>
    public void Add(ReadOnlySpan<float> logs, int rows)
    {
        for (int i = 0; i < rows * images; i++)
        {
            int image = i % images;
            double log = logs[i];
            if (log > largest[image])
            {
                sums[image] = sums[image] * Math.Exp(largest[image] - log) + 1;
                largest[image] = log;
            }
            else
                sums[image] += Math.Exp(log - largest[image]);
        }
        count += rows;
    }

    /// <summary>log mean of each image's numbers.</summary>
    public IEnumerable<double> Values() => largest.Zip(sums, (max, sum) => max + Math.Log(sum) - Math.Log(count));
}
