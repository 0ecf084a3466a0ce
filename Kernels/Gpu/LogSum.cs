using ILGPU;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>One thread's running log sum exp: the largest term so far and the sum relative to it, so that nothing overflows.</summary>
internal struct LogSum(Lane max, Lane sum) : IFold<LogSum>
{
    public Lane Max = max, Sum = sum;

    /// <summary>The sum of no terms, to which terms are added.</summary>
    public static LogSum Empty => new(float.NegativeInfinity, 0f);

    public void Add(Lane term) => Merge(term, 1f);
    public void Merge(LogSum other) => Merge(other.Max, other.Sum);

    /// <summary>max + log sum: -infinity where all terms are, +infinity where any is.</summary>
    public readonly Lane Value => Max + RealMath.Log(Sum);

    /// <summary>One exponential. NaN never becomes the maximum but stays in the sum.</summary>
    private void Merge(Lane max, Lane sum)
    {
        Lane larger = Lane.SelectLess(Max, max, max, Max), smaller = Lane.SelectLess(Max, max, Max, max);
        Lane ofLarger = Lane.SelectLess(Max, max, sum, Sum), ofSmaller = Lane.SelectLess(Max, max, Sum, sum);
        // Equal ones may be infinite.
        Sum = Lane.Fma(ofSmaller, RealMath.Exp((Lane)(smaller.X == larger.X ? 0f : (smaller - larger).X)), ofLarger);
        Max = larger;
    }

    /// <summary>Merges those of <see cref="Threads.Tall"/> threads along y; right where y = 0.</summary>
    public void MergeOverY() => this = Threads.FoldOverY<LogSum, LogSum>(this);

    public static LogSum Of(LogSum a, LogSum b)
    {
        a.Merge(b);
        return a;
    }
}
