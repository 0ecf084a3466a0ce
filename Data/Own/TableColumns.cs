using System.Globalization;

namespace VaeFromScratch.Data.Own;

/// <summary>How the columns of a table lie in a row: the numbers, then for each category its values one-hot.</summary>
/// <param name="Numbers">Columns of numbers.</param>
/// <param name="Categories">How many values each category has, in their order.</param>
internal sealed record TableLayout(int Numbers, IReadOnlyList<int> Categories)
{
    /// <summary>Numbers in a row.</summary>
    public int Width => Numbers + Categories.Sum();

    /// <summary>Where each category begins, and how many values it has.</summary>
    public IEnumerable<(int First, int Values)> Blocks
    {
        get
        {
            int first = Numbers;
            foreach (int values in Categories)
            {
                yield return (first, values);
                first += values;
            }
        }
    }
}

/// <summary>One column of a table, in its own unit.</summary>
/// <param name="Name">As the header has it.</param>
/// <param name="Mean">Of the training rows, what stands for 0; 0 for a category.</param>
/// <param name="Scale">Their standard deviation, what stands for 1; 1 for a category.</param>
/// <param name="Values">The values of a category, in ordinal order; empty for numbers.</param>
public sealed record TableColumn(string Name, double Mean, double Scale, IReadOnlyList<string> Values)
{
    public bool IsCategory => Values.Count > 0;

    /// <summary>How many numbers of a row it takes.</summary>
    public int Width => Math.Max(1, Values.Count);
}

/// <summary>The columns of a table in its own order and units, and the way between these and a row as models see it.</summary>
public sealed record TableColumns
{
    private readonly int[] places;

    /// <param name="all">In the order of the file.</param>
    public TableColumns(IReadOnlyList<TableColumn> all)
    {
        All = all;
        Layout = new(all.Count(c => !c.IsCategory), [.. all.Where(c => c.IsCategory).Select(c => c.Values.Count)]);
        places = new int[all.Count];
        int number = 0, block = Layout.Numbers;
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = all[i].IsCategory ? block : number++;
            block += all[i].IsCategory ? all[i].Width : 0;
        }
    }

    public IReadOnlyList<TableColumn> All { get; }

    internal TableLayout Layout { get; }

    /// <summary>Where a column begins in a row as models see it.</summary>
    /// <param name="column">Its place in <see cref="All"/>.</param>
    public int PlaceOf(int column) => places[column];

    /// <summary>
    /// A row as the file would have it: numbers in their own unit (double), the most probable value of each category (string).
    /// </summary>
    /// <param name="row">As models see it, [<see cref="TableLayout.Width"/>].</param>
    public object[] Decode(ReadOnlySpan<float> row)
    {
        object[] cells = new object[All.Count];
        for (int i = 0; i < cells.Length; i++)
        {
            var column = All[i];
            cells[i] = column.IsCategory ? column.Values[Largest(row.Slice(places[i], column.Width))]
                : column.Mean + column.Scale * row[places[i]];
        }
        return cells;
    }

    /// <summary>The place of the largest of some numbers, the first of equal ones.</summary>
    internal static int Largest(ReadOnlySpan<float> values)
    {
        int largest = 0;
        for (int i = 1; i < values.Length; i++)
            if (values[i] > values[largest])
                largest = i;
        return largest;
    }

    /// <summary>Columns x_0, x_1, ... of an array without names.</summary>
    /// <param name="width">How many.</param>
    /// <param name="scale">What a value of 1 is in the array's own unit.</param>
    internal static TableColumns Unnamed(int width, double scale) => new(
        [.. Enumerable.Range(0, width).Select(i => new TableColumn(string.Create(CultureInfo.InvariantCulture, $"x_{i}"), 0, scale, []))]);
}
