namespace VaeFromScratch.Estimators.Critics;

/// <summary>One half of the held-out pairs at one step.</summary>
/// <param name="Criterion">What is to be as large as possible.</param>
/// <param name="Terms">The value of each row.</param>
/// <param name="Unseen">By how much the value may be wrong without the spread of the rows showing it.</param>
internal readonly record struct HeldOutHalf(double Criterion, double[] Terms, double Unseen = 0);

/// <summary>
/// Early stopping without the favour of choosing by what is reported: the held-out pairs are halved, and the value of each half is taken at
/// the step that is best by the other half.
/// </summary>
internal sealed class HeldOutChoice(int patience)
{
    private readonly double[] best = [double.NegativeInfinity, double.NegativeInfinity];
    private readonly int[] bestStep = new int[2];
    private readonly HeldOutHalf[] chosen = [new(0, []), new(0, [])];
    private int looks, lastBetter;

    /// <summary>Steps at the best value, of the half that took longer.</summary>
    public int Steps => bestStep.Max();

    /// <summary>Whether neither half has become better for a while.</summary>
    public bool IsOver => looks - lastBetter > patience;

    /// <summary>The value of each row of both halves, at the other half's best step.</summary>
    public double[] Terms => [.. chosen[0].Terms, .. chosen[1].Terms];

    /// <summary>By how much the value may be wrong without the spread of the rows showing it.</summary>
    public double Unseen => (chosen[0].Unseen + chosen[1].Unseen) / 2;

    /// <param name="step">Steps done.</param>
    /// <param name="halves">Both halves after them.</param>
    public void Look(int step, params ReadOnlySpan<HeldOutHalf> halves)
    {
        looks++;
        for (int half = 0; half < 2; half++)
            if (halves[half].Criterion > best[half])
            {
                (best[half], bestStep[half], chosen[1 - half]) = (halves[half].Criterion, step, halves[1 - half]);
                lastBetter = looks;
            }
    }
}
