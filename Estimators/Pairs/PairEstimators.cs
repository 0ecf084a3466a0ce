using System.Diagnostics;
using VaeFromScratch.Estimators.Critics;
using VaeFromScratch.Estimators.Samples;

namespace VaeFromScratch.Estimators.Pairs;

/// <summary>
/// Every estimator of the information between two variables, by name, for whatever they are: numbers or classes, with or without a third
/// one given. A value comes with its error bar, its ceiling, and warnings where the samples do not meet what the estimator assumes.
/// </summary>
public sealed class PairEstimators
{
    private const double MostRepeated = 0.01;
    private const int MostNeighbourColumns = 4;
    private const int FewRowsForCritics = 2000;
    private const int Parts = 10;

    private readonly SampleVariable x, y;
    private readonly SampleVariable? given;
    private readonly PairOptions options;
    private readonly Func<Compute> compute;
    private readonly Lazy<double> repeated;
    private readonly Lazy<bool> heavy;

    /// <param name="x">One side.</param>
    /// <param name="y">The other side, as many rows.</param>
    /// <param name="given">What is known, as many rows; null for nothing.</param>
    /// <param name="compute">Opens the device for critics; asked when one is run.</param>
    /// <exception cref="EstimatorException">The numbers of rows differ.</exception>
    public PairEstimators(SampleVariable x, SampleVariable y, SampleVariable? given, PairOptions options, Func<Compute> compute)
    {
        foreach (var other in given is null ? [y] : (SampleVariable[])[y, given])
            if (other.Points != x.Points)
                throw new EstimatorException($"{x.Name} has {x.Points} rows and {other.Name} has {other.Points}; give one row of each a " +
                    $"sample");
        (this.x, this.y, this.given, this.options, this.compute) = (x, y, given, options, compute);
        repeated = new(() => Math.Max(x.RepeatedShare, y.RepeatedShare));
        heavy = new(() => x.HasHeavyTails || y.HasHeavyTails);
    }

    /// <summary>Every name there is.</summary>
    public static IReadOnlyList<string> Names { get; } = ["ksg", "ksg-rank", "cca", "copula", "binned", "infonce", "nwj", "mine", "smile",
        "club", "ross", "gao", "counts", "plug-in"];

    /// <summary>The names of those that apply to these variables.</summary>
    public IReadOnlyList<string> Applicable => (x.Labels, y.Labels, given) switch
    {
        (null, null, null) => ["ksg", "ksg-rank", "cca", "copula", .. x.Columns == 1 && y.Columns == 1 ? (string[])["binned"] : [],
            "infonce", "nwj", "mine", "smile", "club"],
        (null, null, { }) => ["ksg", "cca"],
        ({ }, { }, null) => ["counts", "plug-in"],
        ({ }, { }, { Labels: not null }) => ["counts"],
        (_, _, null) => ["ross", "gao"],
        _ => ["ross"],
    };

    /// <summary>Those of them that are run when nothing is asked for: all but four of the critics.</summary>
    public IReadOnlyList<string> Default => [.. Applicable.Where(name => name is not ("nwj" or "mine" or "smile" or "club"))];

    /// <summary>Runs one estimator.</summary>
    /// <param name="name">One of <see cref="Applicable"/>.</param>
    /// <param name="progress">Told the steps done and the most there can be of a critic; may throw to end the fit.</param>
    /// <exception cref="EstimatorException">The estimator does not apply, or cannot give a value.</exception>
    public PairEstimate Run(string name, Action<int, int>? progress = null)
    {
        if (!Applicable.Contains(name))
            throw new EstimatorException($"{name}: it is not for {Describe(x)} and " +
                $"{Describe(y)}{(given is null ? "" : $" given {Describe(given)}")}; expected one of {string.Join(", ", Applicable)}");
        var clock = Stopwatch.StartNew();
        var (value, gain) = Value(name, options.Transform, progress);
        var estimate = new PairEstimate(name, value, clock.Elapsed.TotalSeconds, []) { Gain = gain };
        if (options.Transform != SampleTransform.None)
            estimate = estimate with { Untransformed = Value(name, SampleTransform.None, progress).Value.Value };
        return estimate with { Warnings = [.. Warnings(estimate)] };
    }

    private (Estimate Value, Estimate? Gain) Value(string name, SampleTransform transform, Action<int, int>? progress)
    {
        SampleVariable a = x.Transformed(transform), b = y.Transformed(transform);
        var c = given?.Transformed(transform);
        if (name is "infonce" or "nwj" or "mine" or "smile" or "club")
            return ByCritic(name, a, b, progress);
        var value = Of(name, a, b, c);
        return (name is "ksg" or "ksg-rank" or "ross" or "gao" ? value with
        {
            StandardError = ErrorOfParts(name, a, b, c)
            ?? value.StandardError
        } : value, null);
    }

    private Estimate Of(string name, SampleVariable a, SampleVariable b, SampleVariable? c) => c switch
    {
        { Labels: not null } => OverClasses(c, rows => Of(name, a.Rows(rows), b.Rows(rows), null)),
        { } => name == "cca" ? SampleInformation.ConditionalCca(a.Values, a.Columns, b.Values, b.Columns, c.Values, c.Columns)
            : Conditional(a, b, c),
        null => name switch
        {
            "ksg" => Kraskov(a, b),
            "gao" => OfClasses((a.Labels ?? b.Labels)!, Kraskov(a, b)),
            "ksg-rank" => Of("ksg", a.Transformed(SampleTransform.Rank), b.Transformed(SampleTransform.Rank), null),
            "cca" => SampleInformation.Cca(a.Values, a.Columns, b.Values, b.Columns),
            "copula" => SampleInformation.Copula(a.Values, a.Columns, b.Values, b.Columns),
            "binned" => SampleInformation.Binned(a.Values, b.Values, options.Bins),
            "ross" => a.Labels is null ? Ross(b.Labels!, a.Values, a.Columns) : Ross(a.Labels, b.Values, b.Columns),
            "counts" => SampleInformation.Counts(a.Labels, b.Labels),
            _ => new ContingencyTable(a.Labels, b.Labels).MutualInformation(),
        },
    };

    private Estimate Kraskov(SampleVariable a, SampleVariable b) => SampleInformation.Kraskov(a.Values, a.Columns, b.Values, b.Columns,
        options.Neighbours, NeighbourNorm.Euclidean, options.Threads);

    /// <summary>A class says at most its entropy, which lies below the ceiling of neighbours of numbers.</summary>
    private static Estimate OfClasses(int[] labels, Estimate estimate)
    {
        double entropy = CategoryInformation.Entropy([.. labels.CountBy(label => label).Select(c => (double)c.Value / labels.Length)]);
        return estimate with { Value = Math.Min(entropy, estimate.Value), Ceiling = entropy, CeilingIsTrue = true };
    }

    /// <summary>I(a; b | c) for numbers c: by neighbours for numbers, else by the chain rule from terms with a class on one side.</summary>
    private Estimate Conditional(SampleVariable a, SampleVariable b, SampleVariable c)
    {
        if (a.Labels is null && b.Labels is null)
            return SampleInformation.ConditionalKraskov(a.Values, a.Columns, b.Values, b.Columns, c.Values, c.Columns, options.Neighbours,
                NeighbourNorm.Euclidean, options.Threads);
        var (label, other) = a.Labels is null ? (b, a) : (a, b);
        var without = Ross(label.Labels!, c.Values, c.Columns);
        if (other.Labels is null)
            return Sum(1, Ross(label.Labels!, SampleVariable.Beside(other, c), other.Columns + c.Columns), without);
        var within = OverClasses(other, rows => Ross(label.Rows(rows).Labels!, c.Rows(rows).Values, c.Columns));
        return Sum(1, Sum(-1, SampleInformation.Counts(label.Labels!, other.Labels), within), without);

        static Estimate Sum(int sign, Estimate first, Estimate second) => first with
        {
            Value = first.Value - sign * second.Value,
            StandardError = Math.Sqrt(first.StandardError * first.StandardError + second.StandardError * second.StandardError),
        };
    }

    private Estimate Ross(int[] labels, float[] values, int columns) => SampleInformation.Ross(labels, values, columns, options.Neighbours,
        NeighbourNorm.Euclidean, options.Threads);

    /// <summary>The mean over the classes of c of an estimate from their rows; classes with too few rows for it are left out.</summary>
    private Estimate OverClasses(SampleVariable c, Func<int[], Estimate> of)
    {
        var groups = Enumerable.Range(0, c.Points).GroupBy(i => c.Labels![i]).OrderBy(g => g.Key).Select(g => g.ToArray()).Where(g =>
            g.Length > options.Neighbours + 1).ToArray();
        double all = groups.Sum(g => g.Length), value = 0, variance = 0, ceiling = 0;
        if (groups.Length == 0)
            throw new EstimatorException($"{c.Name}: no class has more than {options.Neighbours + 1} rows; give one with fewer classes");
        foreach (int[] rows in groups)
        {
            var within = of(rows);
            double share = rows.Length / all;
            value += share * within.Value;
            ceiling += share * within.Ceiling;
            variance += share * share * within.StandardError * within.StandardError;
        }
        return new(value, Math.Sqrt(variance), BoundKind.Neither, ceiling, (int)all);
    }

    private (Estimate Value, Estimate? Gain) ByCritic(string name, SampleVariable a, SampleVariable b, Action<int, int>? progress)
    {
        var critic = options.CriticFor(a.Points);
        if (a.IsConstant || b.IsConstant)
            return (new(0, 0, BoundKind.Neither, 0, a.Points), null);
        if (name == "club")
            return (new Club(critic).Fit(compute(), a.Values, a.Columns, b.Values, b.Columns, options.Seed, progress), null);
        CriticEstimator estimator = name switch
        {
            "infonce" => new InfoNce(critic),
            "nwj" => new Nwj(critic),
            "mine" => new Mine(critic),
            _ => new Smile(critic)
        };
        var fit = estimator.FitBeyondCopula(compute(), a.Values, a.Columns, b.Values, b.Columns, options.Seed, progress);
        return (fit.Estimate, fit.Gain);
    }

    /// <summary>
    /// The spread of the values of ten disjoint tenths of the rows over the root of ten; null for few rows (Holmes and Nemenman 2019).
    /// </summary>
    private double? ErrorOfParts(string name, SampleVariable a, SampleVariable b, SampleVariable? c)
    {
        if (a.Points < Parts * 10 * options.Neighbours || a.IsConstant || b.IsConstant)
            return null;
        // Apart from other uses of the seed ("part" in ASCII).
        int[] order = SeededRandom.Create(options.Seed, 0x70_61_72_74).Draw(a.Points, a.Points);
        var values = new RunningMean();
        for (int part = 0; part < Parts; part++)
        {
            int[] rows = [.. order.Where((_, i) => i % Parts == part)];
            try
            {
                values.Add(Of(name, a.Rows(rows), b.Rows(rows), c?.Rows(rows)).Value);
            }
            catch (EstimatorException)
            {
                // A tenth can lack a class that the whole has.
                return null;
            }
        }
        return values.StandardError;
    }

    private IEnumerable<string> Warnings(PairEstimate estimate)
    {
        string name = estimate.Estimator;
        bool neighbours = name is "ksg" or "ksg-rank" or "ross" or "gao",
            critic = name is "infonce" or "nwj" or "mine" or "smile" or "club";
        int columns = (x.Labels is null ? x.Columns : 0) + (y.Labels is null ? y.Columns : 0) + (given is { Labels: null } ? given.Columns
            : 0);
        foreach (var constant in new[] { x, y }.Where(v => v.IsConstant))
            yield return $"{constant.Name} is constant, so that there is no information";
        if (x.IsConstant || y.IsConstant)
            yield break;
        if (estimate.IsSaturated)
            yield return $"near its ceiling of {Text(estimate.Value.Ceiling)} nats: the information may be much larger";
        if (repeated.Value > MostRepeated && (neighbours || name is "copula" or "cca" || critic))
            yield return $"{100 * repeated.Value:F0} % of the values of a column repeat: numbers were expected that do not";
        if (heavy.Value && options.Transform == SampleTransform.None && name is "ksg" or "cca")
            yield return $"heavy tails: {(name == "cca" ? "the value can be anything" : "too low")}; --transform rank takes them away";
        if (neighbours && columns > MostNeighbourColumns)
            yield return $"{columns} columns are many for neighbours: the value is too low";
        if (critic && x.Points < FewRowsForCritics)
            yield return $"{x.Points} rows are few for a network: a lower bound will be low";
        if (name == "club")
            yield return "an upper bound only as far as y given x is Gaussian in normal scores";
    }

    private static string Describe(SampleVariable v) => v.Labels is null
        ? $"{v.Name} ({v.Columns} column{(v.Columns == 1 ? "" : "s")} of numbers)" : $"{v.Name} ({v.Classes} classes)";

    private static string Text(double value) => value.ToString("F2", System.Globalization.CultureInfo.InvariantCulture);
}
