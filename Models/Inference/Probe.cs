namespace VaeFromScratch.Models.Inference;

/// <summary>Inputs on which two ways to compute the same are compared.</summary>
internal static class Probe
{
    private const double Tolerance = 1e-3;

    /// <summary>Numbers in [0, 1), always the same.</summary>
    public static float[] Numbers(int count)
    {
        var numbers = new float[count];
        uint state = 1;
        for (int i = 0; i < count; i++)
            numbers[i] = ((state = 1664525 * state + 1013904223) >> 8) / (float)(1 << 24);
        return numbers;
    }

    /// <summary>Whether the values are the same but for rounding.</summary>
    public static bool Agree(float[] a, float[] b)
    {
        double scale = Math.Max(1, b.Max(v => Math.Abs((double)v)));
        return a.Length == b.Length && a.Zip(b).All(p => Math.Abs((double)p.First - p.Second) <= Tolerance * scale);
    }
}
