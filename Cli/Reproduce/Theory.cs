using System.Globalization;
using MathNet.Numerics.LinearAlgebra;
using VaeFromScratch.Estimators;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Estimators.Theory;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Reports;

namespace VaeFromScratch.Cli.Reproduce;

/// <summary>The theorems of papers 1 and 2 on data where both sides are known: (R1)-(R4), (T4).</summary>
internal static class Theory
{
    private const int Latents = 32;

    /// <summary>P of (R1).</summary>
    public static IReadOnlyList<int> IntrinsicDimensions { get; } = [2, 5, 10];

    public static string IntrinsicName(int dimension) => $"intrinsic-{dimension}";

    /// <summary>A VAE of 32 factors on smooth pictures of P Gaussian factors with a little noise.</summary>
    public static RunConfiguration IntrinsicRun(int dimension) => ModelCatalogue.Defaults("beta-vae").With(
        ("data", $"synthetic-noise-{dimension}"), ("network", "mlp:128"), ("latents", Latents), ("kl_warm_up_epochs", 0),
            ("learning_rate", 2e-3), ("epochs", 10));

    public static void Report(Findings findings)
    {
        using var backend = findings.Context.OpenBackend();
        ulong seed = findings.Context.Seed;
        Intrinsic(findings);
        Equivalence(findings, backend, seed);
        Fano(findings, backend, seed);
        Lasso(findings);
        Reconstruction(findings, backend, seed);
    }

    /// <summary>(R5), theorem 3 of paper 1: on the same draws the three mixture estimates obey it to rounding.</summary>
    public static void Separation(Findings findings, IEnumerable<SweepResult> results)
    {
        SweepResult[] measured = [.. results.Where(r => double.IsFinite(r["mi_factors_mixture_nats"]))];
        if (measured.Length == 0)
            return;
        findings.Section("Theorem 3 (R5): the information of the factors, of the code, and the total correlation")
            .Table("sum of I(x; z_h) - TC(z) = I(x; z), mixtures of all test images, nats; expected beside measured",
                [.. measured.Select(r => new Finding(string.Create(CultureInfo.InvariantCulture,
                    $"{r.Point.Name}: {r["mi_factors_mixture_nats"]:F3} - {r["total_correlation_nats"]:F3} (standard error "
                        + $"{r["total_correlation_standard_error"]:F3}), I(x; z) with standard error {r["mi_mixture_standard_error"]:F3}"),
                    r["mi_mixture_nats"], r["mi_factors_mixture_nats"] - r["total_correlation_nats"], Target.Near(1e-2)))]);
    }

    /// <summary>(R6), theorem 6 of paper 1: the estimator converges to the information and the gap that the theorem assumes away.</summary>
    public static void Consistency(Findings findings, IBackend backend, ulong seed)
    {
        ConsistencyPoint[] points = [.. ((int[])[100, 1000, 10_000, 100_000]).Select(m =>
            VaeFromScratch.Estimators.Theory.Consistency.Measure(backend, m, seed))];
        findings.Section("Theorem 6 of paper 1 (R6): what the estimator converges to")
            .Table(string.Create(CultureInfo.InvariantCulture,
                $"Two factors with means of -3, 0 and 3, half of them copies: I(x; z) {points[0].Information:F4} nats, TC and distance "
                    + $"to the closest Gaussian {points[0].Gap:F4}, exact; (I2) of M points, nats"),
                [
                    .. points.Select(p => new Finding(string.Create(CultureInfo.InvariantCulture, $"M = {p.Points}"), p.Limit, p.Estimate,
                        Target.Near(5 / Math.Sqrt(p.Points)))),
                    new("the same with M = 100 000 less I(x; z) alone, which the theorem names as the limit", null,
                        points[^1].Estimate - points[^1].Information, Target.Shown),
                ]);
    }

    /// <summary>(R8), corollary 2 of paper 2: (D4) is no larger than KL(q(z) || p) by the mixture.</summary>
    public static void Corollary(Findings findings, IEnumerable<SweepResult> results)
    {
        SweepResult[] measured = [.. results.Where(r => double.IsFinite(r["prior_kl_mixture_nats"]))];
        if (measured.Length == 0)
            return;
        findings.Section("Corollary 2 (R8): distance of the aggregate posterior to the prior")
            .Table("KL(q(z) || p) = TC + sum of KL(q(z_h) || p) by the mixture, at least (D4), nats; (D4) beside it",
                [.. measured.Select(r =>
                new Finding(r.Point.Name, r["d4_nats"], r["total_correlation_nats"] + r["prior_kl_mixture_nats"], Target.AtLeast))]);
    }

    private static void Intrinsic(Findings findings)
    {
        findings.Section("Theorem 1 (R1): the intrinsic dimension")
            .Table($"Influential factors (more than 0.5 nats) of {Latents}, pictures of P Gaussian factors",
            [.. IntrinsicDimensions.Select(p =>
                new Finding($"P = {p}", p, findings.Result(IntrinsicName(p))?["influential_factors"], Target.Near(0)))]);
        foreach (int p in IntrinsicDimensions)
            if (findings.Result(IntrinsicName(p)) is { } result)
            {
                using var run = findings.Open(result);
                findings.Figure(new RunFigures(run).Spectrum with { Height = 260 }, $"P = {p}: information of each of {Latents} factors.");
            }
    }

    private static void Equivalence(Findings findings, IBackend backend, ulong seed)
    {
        const int points = 4000, factors = 4;
        const double variance = 0.2;
        var y = FactorEquivalence.Factors(points, factors, seed);
        var plain = FactorEquivalence.Measure(backend, y, Matrix<double>.Build.DenseIdentity(factors), variance, seed);
        var rows = new List<Finding> { new("beta-VAE score of the factors themselves", 1, plain.BetaVae.Mean, Target.Near(0.01)) };
        var curve = new List<(double Angle, CodeView View)> { (0, plain) };
        foreach (int degrees in (int[])[15, 30, 45])
        {
            var turned =
                FactorEquivalence.Measure(backend, y, FactorEquivalence.PairRotation(factors, degrees * Math.PI / 180), variance, seed);
            curve.Add((degrees, turned));
            double error = 4 * Math.Sqrt(Math.Pow(plain.Information.StandardError, 2) + Math.Pow(turned.Information.StandardError, 2));
            double correlationError = 4
                * Math.Sqrt(Math.Pow(plain.TotalCorrelation.StandardError, 2) + Math.Pow(turned.TotalCorrelation.StandardError, 2));
            rows.Add(new($"information (X1) after {degrees} degrees, nats", plain.Information.Value, turned.Information.Value,
                Target.Near(error)));
            rows.Add(new($"total correlation (X3) after {degrees} degrees, nats", plain.TotalCorrelation.Value,
                turned.TotalCorrelation.Value, Target.Near(correlationError)));
            if (degrees == 45)
                rows.Add(new("beta-VAE score after 45 degrees: pairs cannot be told apart", 0.5, turned.BetaVae.Mean, Target.Near(0.12)));
        }
        var q = FactorEquivalence.Rotation(factors, seed);
        var statistic = FactorEquivalence.FixedFactorDifference(q, 0, 100_000, seed);
        for (int h = 0; h < factors; h++)
            rows.Add(new(
                string.Create(CultureInfo.InvariantCulture,
                $"E|z1 - z2| of code {h}, q = {q[h, 0]:F3}: 2 / sqrt(pi) sqrt(1 - q^2); (35) prints "
                + $"{Math.Sqrt(2) * BetaVaeScore.ExpectedDifference(q[h, 0]):F3}"), BetaVaeScore.ExpectedDifference(q[h, 0]), statistic[h],
                Target.Near(0.01)));
        findings.Section("Theorem 4 (R2): equivalent factors")
            .Table($"{factors} Gaussian factors, {points} points, pairs rotated; expected beside measured", rows)
            .Figure(new LineChart(
            [
                new("beta-VAE score (M6)", [.. curve.Select(c => c.Angle)], [.. curve.Select(c => c.View.BetaVae.Mean)]),
                new("information over that of the factors", [.. curve.Select(c => c.Angle)],
                    [.. curve.Select(c => c.View.Information.Value / plain.Information.Value)]),
            ])
            {
                Title = "A rotation changes the score and not the information",
                XLabel = "degrees",
                YLabel = "score, ratio",
                FromZero = true,
                Height = 280
            }, "Every rotation of Gaussian factors generates the same data.");
    }

    private static void Fano(Findings findings, IBackend backend, ulong seed)
    {
        var codes = ((double[])[0.1, 0.3, 0.6, 1, 2, 4, 8])
            .Select(spread => LabelChannel.Measure(backend, labels: 10, spread, points: 4000, seed)).ToArray();
        findings.Section("Theorem 5 (R3): Fano's bound on classification")
            .Table("10 labels seen through a posterior of some width; the error of the best classifier cannot be below the bound",
                [.. codes.Select(c => new Finding(string.Create(CultureInfo.InvariantCulture,
                    $"error at I(Y; Z) = {c.Information:F2} nats, bound beside it"), c.Bound, c.Error, Target.AtLeast))])
            .Figure(new LineChart([new("error of the best classifier", [.. codes.Select(c => c.Information)], [.. codes.Select(c =>
                c.Error)]), new("Fano's bound", [.. codes.Select(c => c.Information)], [.. codes.Select(c => c.Bound)])])
            { Title = "Error against information", XLabel = "I(Y; Z), nats", YLabel = "error", Height = 280 },
                "In nats the paper's \"- 1\" is log 2.");
    }

    /// <summary>The KL of a trained run, factor by factor, as information and distance to the prior.</summary>
    private static void Lasso(Findings findings)
    {
        if (findings.Result(MnistRuns.LearnedName(MnistRuns.MainBeta)) is not { } result)
            return;
        using var run = findings.Open(result);
        var figures = new RunFigures(run);
        var mixture = MixtureInformation.Compute(run.Compute.Backend, figures.Encodings, run.Configuration.Training.Seed);
        var ranked = figures.Indicators.Ranked;
        double kl = figures.Indicators.Dtilde, sampled = mixture.Factors.Sum(f => f.Information.Value + f.PriorKl.Value);
        findings.Section("Theorem 2 (R4): the KL term as a lasso")
            .Table($"MNIST, beta {MnistRuns.MainBeta}: the mean KL is a sum over factors of two terms that are never negative",
            [
                new("sum of I_h (I2) and of KL(q*_h || p) (D5), against the mean KL (D1)", kl,
                    figures.Indicators.Information + figures.Indicators.D5, Target.Near(1e-4 * kl)),
                new("sum of I_h (I6) and of KL(q(z_h) || p) (X2), against the mean KL (D1)", kl, sampled,
                    Target.Near(4 * mixture.SampledKl.StandardError)),
            ])
            .Table("The most informative factors and the least, nats", ["factor", "KL", "I (I2)", "KL to the prior (D5)", "I (I6)",
                "KL to the prior (X2)"], [.. ranked.Take(8).Concat(ranked.TakeLast(2)).Select(f => (IReadOnlyList<string>)
            [
                f.Factor.ToString(CultureInfo.InvariantCulture), .. new[] { f.Kl, f.Information, f.AggregateKl,
                    mixture.Factors[f.Factor].Information.Value, mixture.Factors[f.Factor].PriorKl.Value }.Select(v =>
                    v.ToString("F4", CultureInfo.InvariantCulture)),
            ])]);
    }

    private static void Reconstruction(Findings findings, IBackend backend, ulong seed)
    {
        double[] spectrum = [9, 4, 2, 1, 0.5, 0.3];
        var q = FactorEquivalence.Rotation(spectrum.Length, seed);
        var source = new GaussianSource(q * Matrix<double>.Build.DenseOfDiagonalArray(spectrum) * q.Transpose());
        var codes = Enumerable.Range(1, spectrum.Length).Select(k => source.Encode(backend, k, distortion: 0.15, points: 20_000, seed))
            .ToArray();
        findings.Section("Theorem 4 of paper 1 (T4): the reconstruction bound")
            .Table(string.Create(CultureInfo.InvariantCulture,
            $"A Gaussian source of {spectrum.Length} dimensions with h(X) = {source.Entropy:F3} nats; error per dimension against its "
            + $"bound"),
                [.. codes.Select(c => new Finding(string.Create(CultureInfo.InvariantCulture,
                    $"{c.Factors} principal factors, {c.Information:F2} nats"), c.Bound, c.SquaredError, c.Factors == spectrum.Length
                    ? Target.Within(0.02) : Target.AtLeast))])
            .Paragraph("The last code describes every component to the same error, the optimum, and meets the bound. The paper prints "
                + "the scalar form, exponent 2 in place of 2/D, for vectors.");
    }
}
