namespace VaeFromScratch.Estimators.Critics;

/// <summary>How f(x, y) is built.</summary>
public enum CriticKind
{
    /// <summary><see cref="Joint"/> up to four columns of x and y together, <see cref="Separable"/> above.</summary>
    Automatic,

    /// <summary>g(x) . h(y): cheap, and all that many weak dependences need; sharp edges of the density are beyond it.</summary>
    Separable,

    /// <summary>A network of x and y together: B^2 evaluations a step.</summary>
    Joint,
}

/// <summary>How a critic is fitted.</summary>
/// <param name="Steps">Adam steps at most.</param>
/// <param name="Batch">B: rows of each matrix of scores when the value is taken, and pairs a step of a separable critic.</param>
/// <param name="LearningRate">The learning rate of Adam.</param>
/// <param name="Hidden">Units of the two hidden layers.</param>
/// <param name="Embedding">Columns of g(x) and h(y) of a separable critic.</param>
/// <param name="Kind">How f(x, y) is built.</param>
/// <param name="CheckEvery">Steps between two looks at the held-out pairs.</param>
/// <param name="Patience">Looks without a better value that end the fit.</param>
public sealed record CriticOptions(int Steps = 3000, int Batch = 128, double LearningRate = 3e-3, int Hidden = 64, int Embedding = 32,
    CriticKind Kind = CriticKind.Automatic, int CheckEvery = 50, int Patience = 8)
{
    private const int MostJointColumns = 4;
    private const int MostJointPairs = 64;

    internal bool IsJoint(int columns) => Kind == CriticKind.Joint || (Kind == CriticKind.Automatic && columns <= MostJointColumns);

    /// <summary>Pairs a fitting step.</summary>
    internal int FittingBatch(int columns) => IsJoint(columns) ? Math.Min(Batch, MostJointPairs) : Batch;
}

/// <summary>The outcome of fitting a critic.</summary>
/// <param name="Estimate">The value on held-out pairs.</param>
/// <param name="Copula">The same value with the fitted t copula's log ratio alone in place of the critic.</param>
/// <param name="Gain">What the network adds to the copula, with the standard error of the difference: clearly above 0 where the copula is
/// not all there is.</param>
/// <param name="Steps">Steps at the best value, of the half that took longer.</param>
public sealed record CriticFit(Estimate Estimate, Estimate Copula, Estimate Gain, int Steps);
