using System.Globalization;

namespace VaeFromScratch.Estimators.Pairs;

/// <summary>Which of several estimates to believe, from the samples and the estimates alone.</summary>
/// <remarks>
/// The t copula has little error where dependence is Gaussian or t behind any shapes of the columns. Whether it is, a critic tells that
/// starts from it: on held-out pairs its network adds nothing then. Otherwise neighbours are best in few columns, and in many whichever
/// finds more, because both fall short there.
/// </remarks>
public static class Advisor
{
    /// <summary>Columns of x and y together up to which neighbours have little bias.</summary>
    private const int FewColumns = 3;

    /// <summary>What a network must add to count, as a share of the copula's value and in nats, beyond three standard errors.</summary>
    private const double SmallShare = 0.02, SmallNats = 0.005;

    /// <param name="x">One side.</param>
    /// <param name="y">The other side.</param>
    /// <param name="given">What is known; null for nothing.</param>
    /// <param name="estimates">At least one.</param>
    public static PairAdvice Advise(SampleVariable x, SampleVariable y, SampleVariable? given, IReadOnlyList<PairEstimate> estimates)
    {
        if (x.IsConstant || y.IsConstant)
            return new(estimates[0].Estimator, $"{(x.IsConstant ? x : y).Name} is constant and says nothing: the information is 0");
        if (x.Labels is not null || y.Labels is not null || given is not null)
            return OfKind(x, y, given, estimates);
        var (copula, cca) = (Find("copula"), Find("cca"));
        var neighbours = Find("ksg-rank") ?? Find("ksg");
        var critic = Find("infonce") ?? Find("nwj") ?? Find("mine");
        bool few = x.Columns + y.Columns <= FewColumns;
        if (copula is not null && Fits(copula, critic, few ? neighbours : null))
            return Saturated(copula, "copula", critic is null
                ? "behind the columns' shapes the dependence looks Gaussian or t, which its formula has exactly; run infonce too to " +
                    "check that nothing is missed"
                : "a network that starts from it finds nothing more on held-out pairs: the dependence is Gaussian or t behind the " +
                    "columns' shapes");
        if (few && neighbours is not null)
            return Saturated(neighbours, neighbours.Estimator, $"the dependence is neither Gaussian nor t, and {x.Columns + y.Columns} " +
                $"columns are few enough for neighbours");
        var best = new[] { critic, Find("ksg"), Find("ksg-rank") }.OfType<PairEstimate>().MaxBy(e => e.Value.Value);
        if (best is not null)
            return Saturated(best, best.Estimator, $"the dependence is neither Gaussian nor t, and in {x.Columns + y.Columns} columns " +
                $"each of these falls short: it finds most, and the information is probably larger");
        var only = copula ?? cca ?? estimates[0];
        return new(only.Estimator, "there is nothing to check it against; run infonce too");

        PairEstimate? Find(string name) => estimates.FirstOrDefault(e => e.Estimator == name);
    }

    private static bool Fits(PairEstimate copula, PairEstimate? critic, PairEstimate? neighbours)
    {
        double enough = SmallNats + SmallShare * Math.Abs(copula.Value.Value);
        if (critic?.Gain is { } gain && gain.Value > 3 * gain.StandardError + enough)
            return false;
        return neighbours is null
            || Math.Abs(neighbours.Value.Value - copula.Value.Value)
                < 3 * (neighbours.Value.StandardError + copula.Value.StandardError) + 4 * enough;
    }

    private static PairAdvice Saturated(PairEstimate estimate, string name, string reason) =>
        new(name, estimate.IsSaturated ? $"{reason}; it is near its ceiling, so that " +
            $"{estimate.Value.Value.ToString("F2", CultureInfo.InvariantCulture)} nats is only the least it can be" : reason);

    private static PairAdvice OfKind(SampleVariable x, SampleVariable y, SampleVariable? given, IReadOnlyList<PairEstimate> estimates)
    {
        var first = estimates[0];
        return (x.Labels is not null, y.Labels is not null) switch
        {
            (true, true) => new(first.Estimator, first.Estimator == "counts"
                ? "two classes are counted, and the bias of the counts is taken off" : "it is the only one here"),
            (false, false) => new(first.Estimator, given!.Labels is null && x.Columns + y.Columns + given.Columns > 2 * FewColumns
                ? "neighbours see every kind of dependence, but in so many columns they fall short; compare cca, which sees linear " +
                    "dependence only"
                : "neighbours see every kind of dependence, and the columns are few"),
            _ => new(first.Estimator, first.Estimator == "ross" ? "neighbours within a class against neighbours of all: made for a class " +
                "and numbers" : "it is the only one here"),
        };
    }
}
