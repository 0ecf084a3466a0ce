namespace VaeFromScratch.Engine.IO;

/// <summary>What a user may have meant by a name that there is not.</summary>
internal static class Spelling
{
    /// <summary>"; did you mean NAME?" with the name that takes the fewest edits, or nothing where all are far.</summary>
    /// <remarks>
    /// An edit adds, leaves out or replaces a letter, or swaps two neighbours; one for every four letters, and one more, are near.
    /// </remarks>
    public static string Suggest(string given, IEnumerable<string> names)
    {
        var (nearest, fewest) = names.Select(name => (Name: name, Edits: Edits(given, name)))
            .DefaultIfEmpty((Name: "", Edits: int.MaxValue)).MinBy(n => n.Edits);
        return fewest <= 1 + given.Length / 4 && fewest < nearest.Length ? $"; did you mean {nearest}?" : "";
    }

    private static int Edits(string a, string b)
    {
        int[,] edits = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    edits[i, j] = i + j;
                    continue;
                }
                int replaced = edits[i - 1, j - 1] + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1);
                edits[i, j] = Math.Min(replaced, 1 + Math.Min(edits[i - 1, j], edits[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    edits[i, j] = Math.Min(edits[i, j], edits[i - 2, j - 2] + 1);
            }
        return edits[a.Length, b.Length];
    }
}
