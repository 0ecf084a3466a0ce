namespace VaeFromScratch.Data.Eeg;

/// <summary>An electrode of an idealised spherical head, x to the right ear, y to the nose, z up.</summary>
/// <param name="Name">Its name in the 10-20 system.</param>
/// <param name="Inclination">Degrees from the top of the head, negative on the left.</param>
/// <param name="Azimuth">Degrees from the right ear towards the nose.</param>
internal sealed record Electrode(string Name, int Inclination, int Azimuth)
{
    /// <summary>
    /// Azimuthal equidistant projection: the distance from the top of the head along the sphere, in radians, and the direction both stay as
    /// they are
    /// (Bashivan et al., 2016).
    /// </summary>
    public (double X, double Y) Projected => (Inclination * RadiansPerDegree * Math.Cos(Azimuth * RadiansPerDegree),
        Inclination * RadiansPerDegree * Math.Sin(Azimuth * RadiansPerDegree));

    private const double RadiansPerDegree = Math.PI / 180;
}

/// <summary>The electrodes of DEAP: 32 of a BioSemi cap, in the order in which Geneva numbers them.</summary>
internal static class Electrodes
{
    public static IReadOnlyList<Electrode> All { get; } =
    [
        new("Fp1", -92, -72), new("AF3", -74, -65), new("F3", -60, -51), new("F7", -92, -36),
        new("FC5", -72, -21), new("FC1", -32, -45), new("C3", -46, 0), new("T7", -92, 0),
        new("CP5", -72, 21), new("CP1", -32, 45), new("P3", -60, 51), new("P7", -92, 36),
        new("PO3", -74, 65), new("O1", -92, 72), new("Oz", 92, -90), new("Pz", 46, -90),
        new("Fp2", 92, 72), new("AF4", 74, 65), new("Fz", 46, 90), new("F4", 60, 51),
        new("F8", 92, 36), new("FC6", 72, 21), new("FC2", 32, 45), new("Cz", 0, 0),
        new("C4", 46, 0), new("T8", 92, 0), new("CP6", 72, -21), new("CP2", 32, -45),
        new("P4", 60, -51), new("P8", 92, -36), new("PO4", 74, -65), new("O2", 92, -72),
    ];

    /// <exception cref="ArgumentException">There is no electrode of that name.</exception>
    public static int IndexOf(string name)
    {
        for (int i = 0; i < All.Count; i++)
            if (All[i].Name == name)
                return i;
        throw new ArgumentException($"electrode '{name}' is not one of {string.Join(", ", All.Select(e => e.Name))}");
    }
}
