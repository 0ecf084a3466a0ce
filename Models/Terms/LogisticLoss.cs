namespace VaeFromScratch.Models.Terms;

/// <summary>Losses of a discriminator that puts out the log-odds that a code is of the first kind.</summary>
internal static class LogisticLoss
{
    /// <summary>-log of the probability that codes with these log-odds are of the first kind, [B].</summary>
    public static Tensor First(Tensor logOdds) => (-logOdds).Softplus();

    /// <summary>-log of the probability that codes with these log-odds are of the second kind, [B].</summary>
    public static Tensor Second(Tensor logOdds) => logOdds.Softplus();

    /// <summary>What the discriminator minimises: the mean of both, log 2 when it cannot tell them apart.</summary>
    public static Term Discriminator(Tensor logOddsOfFirst, Tensor logOddsOfSecond) =>
        new("discriminator", 0.5f * (First(logOddsOfFirst) + Second(logOddsOfSecond)));
}
