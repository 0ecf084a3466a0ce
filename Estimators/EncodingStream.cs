using VaeFromScratch.Kernels;

namespace VaeFromScratch.Estimators;

/// <summary>
/// Everything that can be said of encodings that are seen once, a block at a time, in memory that does not grow with their number.
/// </summary>
internal sealed class EncodingStream : IDisposable
{
    private readonly IBackend backend;
    private readonly MomentAccumulator moments;
    private readonly EncodingSample? sample;
    private readonly CategoryAccumulator? category;
    private readonly LabelCounts? labels;
    private readonly ulong seed;

    /// <param name="backend">The device; not disposed here.</param>
    /// <param name="first">The first block, which says how many factors and categories there are and whether labels; it is not
    /// added.</param>
    /// <param name="mixture">Whether to keep points for the mixture estimates.</param>
    /// <param name="components">How many; by default all up to 20 000 and else 10 000.</param>
    public EncodingStream(IBackend backend, Encodings first, ulong seed, bool mixture = true, int? components = null)
    {
        (this.backend, this.seed) = (backend, seed);
        moments = new(backend, first.Factors);
        sample = mixture ? new(first.Factors, seed, components, first.Categories) : null;
        category = first.Categories > 0 ? new(first.Categories) : null;
        labels = first.Categories > 0 && !first.Labels.IsEmpty ? new(first.Categories) : null;
    }

    /// <exception cref="EstimatorException">An entry cannot be used.</exception>
    public void Add(Encodings block)
    {
        moments.Add(block.Mu.Span, block.LogVar.Span);
        sample?.Add(block.Mu.Span, block.LogVar.Span, block.Probabilities.Span);
        category?.Add(block.Probabilities.Span);
        labels?.Add(block);
    }

    /// <summary>(I1)-(I5), (D1)-(D8) of all points.</summary>
    public Indicators Indicators() => moments.Result();

    /// <summary>(I6), (X1)-(X3) of the points kept; null when they were not asked for.</summary>
    /// <param name="stored">Looks up the estimate of the points kept; null, or an answer of null, to compute it.</param>
    public MixtureInformation? Mixture(Func<Encodings, MixtureInformation?>? stored = null)
    {
        if (sample?.Result() is not { } points)
            return null;
        return stored?.Invoke(points) ?? MixtureInformation.Compute(backend, points, seed, points.Points);
    }

    /// <summary>(C3) of all points; null without a category.</summary>
    public CategoryInformation? Category() => category?.Result();

    /// <summary>The most probable category of each point against its label; null without both.</summary>
    public ContingencyTable? CategoriesAndLabels() => labels?.Table();

    public void Dispose() => moments.Dispose();

    /// <summary>How often each category was the most probable one for each label; labels may be numbered in any way.</summary>
    private sealed class LabelCounts(int categories)
    {
        private const int MostLabels = 1 << 16;
        private readonly Dictionary<int, int[]> counts = [];

        public void Add(Encodings block)
        {
            int[] most = ContingencyTable.MostProbable(block.Probabilities.Span, categories);
            for (int i = 0; i < most.Length; i++)
            {
                int label = block.Labels.Span[i];
                if (!counts.TryGetValue(label, out var ofLabel))
                    counts.Add(label, ofLabel = new int[categories]);
                if (counts.Count > MostLabels)
                    throw new EstimatorException(
                        $"labels: more than {MostLabels} different ones; labels are classes, remove them if they number the points");
                ofLabel[most[i]]++;
            }
        }

        public ContingencyTable Table()
        {
            var table = new int[categories, counts.Count];
            int column = 0;
            foreach (var ofLabel in counts.Values)
            {
                for (int k = 0; k < categories; k++)
                    table[k, column] = ofLabel[k];
                column++;
            }
            return new(table);
        }
    }
}
