using System.Globalization;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Kernels.Cpu;

namespace VaeFromScratch.Data.Own;

/// <summary>
/// Arrays of one's own to train on, an npz file: x_train, x or images (or the only array), with labels and test arrays where they are
/// there.
/// </summary>
internal static class ArrayFile
{
    private const string TestValues = "x_test", TestLabels = "y_test";
    private const int MostClasses = byte.MaxValue;
    private static readonly string[] Values = ["x_train", "x", "images"], Labels = ["y_train", "y", "labels"];

    /// <summary>
    /// Reads [N, H, W], [N, H, W, 1 or 3] or [N, D] of values from 0 to 1, or from 0 to 255; floating-point values keep their precision.
    /// Without x_test a seeded fifth is tested on.
    /// </summary>
    /// <exception cref="DataException">The file is damaged, has no such array, or a value is out of range.</exception>
    public static DatasetSplits Load(string path)
    {
        string name = NameOfValues(path);
        var arrays = Npz.Read(path, [name, TestValues, .. Labels, TestLabels]);
        var values = arrays.GetValueOrDefault(name) ?? throw DataException.In(path, $"no array '{name}' that numpy.savez writes",
            $"a file {name}.npy in the archive", "write it with numpy.savez");
        var tested = arrays.GetValueOrDefault(TestValues);
        var (labels, testLabels) = (Labels.FirstOrDefault(arrays.ContainsKey), arrays.ContainsKey(TestLabels) ? TestLabels : null);
        if (tested is null && testLabels is not null)
            throw DataException.In(path, $"{TestLabels} without {TestValues}", "both or neither", $"write {TestValues} as well");
        if (tested is not null && labels is null != testLabels is null)
            throw DataException.In(path, $"labels of {(labels is null ? TestValues : name)} alone", "labels of both or of neither",
                "write the labels that are missing");
        CheckShape($"{path}/{name}", values);
        double largest = Largest($"{path}/{name}", values);
        if (tested is not null)
        {
            CheckShape($"{path}/{TestValues}", tested);
            if (!tested.Shape.AsSpan(1).SequenceEqual(values.Shape.AsSpan(1)))
                throw DataException.In(path, $"{TestValues} of shape {HostArray.Describe(tested.Shape)} beside {name} of "
                    + $"{HostArray.Describe(values.Shape)}", "items of one size", "write both with the same shape");
            // One range for both: a dark test set belongs to training pictures of 0 to 255.
            largest = Math.Max(largest, Largest($"{path}/{TestValues}", tested));
        }
        RequireMemory(path, values.Count + (long)(tested?.Count ?? 0));
        int[]? classes = labels is null ? null : ClassesOf($"{path}/{labels}", arrays[labels], values.Shape[0]);
        if (tested is null)
        {
            var notes = OwnFile.CheckCount(path, values.Shape[0], "item");
            return OwnFile.Split(Read(path, name, values, "all", largest, classes, classes?.Max() + 1 ?? 0)) with { Notes = notes };
        }
        int[]? testClasses = testLabels is null ? null : ClassesOf($"{path}/{testLabels}", arrays[testLabels], tested.Shape[0]);
        int count = classes is null ? 0 : Math.Max(classes.Max(), testClasses!.Max()) + 1;
        return new(Read(path, name, values, "train", largest, classes, count), Read(path, TestValues, tested, "test", largest, testClasses,
            count));
    }

    /// <summary>What the array holds, by its header; null where the file cannot be read, which reading it will say.</summary>
    internal static OwnKind? KindOf(string path)
    {
        try
        {
            using var rows = Chosen([.. SampleColumns.NamesIn(path)]) is { } name
                ? DataFile.Guard(path, () => Npz.OpenRows(() => DataFile.Open(path), path, name)) : null;
            return rows is null ? null : rows.Shape.Length == 2 ? OwnKind.Vectors : OwnKind.Pictures;
        }
        catch (DataException)
        {
            return null;
        }
    }

    private static string? Chosen(string[] there) => Values.FirstOrDefault(there.Contains)
        ?? (there.Except([.. Labels, TestLabels, TestValues]).ToArray() is [var only] ? only : null);

    private static string NameOfValues(string path)
    {
        var there = SampleColumns.NamesIn(path);
        return Chosen([.. there]) ?? throw DataException.In(path, there.Count == 0 ? "no array" : $"arrays {string.Join(", ", there)}",
            $"{string.Join(", ", Values)}, or a single array", "name the array to train on x");
    }

    private static void CheckShape(string file, NpyArray array)
    {
        if (array.Shape is [0, _, ..])
            throw DataException.In(file, $"no items, shape {HostArray.Describe(array.Shape)}", "items along the first axis",
                "write the array again");
        if (array.Shape is not ([> 0, > 0] or [> 0, > 0, > 0] or [> 0, > 0, > 0, 1 or 3]))
            throw DataException.In(file, $"shape {HostArray.Describe(array.Shape)}", "[N, H, W], [N, H, W, 1 or 3] or [N, D]",
                "transpose it, with channels last");
    }

    /// <summary>The largest value.</summary>
    /// <exception cref="DataException">One is outside of 0 to 255.</exception>
    private static float Largest(string file, NpyArray array)
    {
        float largest = 0;
        float[] some = new float[1 << 14];
        for (int start = 0; start < array.Count; start += some.Length)
        {
            var values = some.AsSpan(0, Math.Min(some.Length, array.Count - start));
            array.CopyFloats(start, values);
            for (int i = 0; i < values.Length; i++)
            {
                if (!(values[i] >= 0 && values[i] <= byte.MaxValue))
                    throw DataException.In(file, string.Create(CultureInfo.InvariantCulture,
                        $"the value {values[i]} in item {(start + i) / (array.Count / array.Shape[0])}"),
                        "numbers from 0 to 1, or from 0 to 255", array.Shape.Length == 2
                            ? "scale them, or write a CSV table, whose columns are standardised" : "scale the array");
                largest = Math.Max(largest, values[i]);
            }
        }
        return largest;
    }

    private static ImageDataset Read(string path, string name, NpyArray array, string split, double largest, int[]? labels, int classes)
    {
        int[] shape = array.Shape;
        bool vectors = shape.Length == 2, inBytes = largest > 1;
        var (h, w, c) = vectors ? (1, shape[1], 1) : (shape[1], shape[2], shape.Length == 4 ? shape[3] : 1);
        var set = new ImageDataset(OwnFile.ShortName(path), split, shape[0], h, w, c, [],
            labels is null ? null : Array.ConvertAll(labels, l => (byte)l), classes, inBytes ? ImageDataset.ByteScale : 1);
        if (array.Type[1] != 'f')
            set = set with { Pixels = array.Width == 1 ? array.Bytes : Array.ConvertAll(array.ToInts(path), v => (byte)v) };
        else
        {
            float[] values = array.ToFloats();
            if (inBytes)
                for (int i = 0; i < values.Length; i++)
                    values[i] *= ImageDataset.ByteScale;
            set = set with { Values = values };
        }
        if (vectors)
            set = set with { Columns = TableColumns.Unnamed(w, inBytes ? byte.MaxValue : 1) };
        return set.CheckConsistency($"{path}/{name}");
    }

    private static int[] ClassesOf(string file, NpyArray array, int count)
    {
        if (array.Count != count || array.Shape is not ([_] or [_, 1]))
            throw DataException.In(file, $"shape {HostArray.Describe(array.Shape)}", $"[{count}], one label for each item",
                "write the labels again");
        int[] labels = array.ToInts(file);
        return Array.FindIndex(labels, l => l is < 0 or >= MostClasses) is >= 0 and var bad
            ? throw DataException.In(file, $"label {labels[bad]} of item {bad}", $"classes from 0 to {MostClasses - 1}",
                "number the classes from 0")
            : labels;
    }

    /// <summary>Refuses what the memory that is free does not hold.</summary>
    internal static void RequireMemory(string file, long values)
    {
        long needed = values * sizeof(float), free = HostMemory.AvailableBytes;
        if (values > Array.MaxLength || needed > free)
            throw DataException.In(file, $"{values} values, which need {needed >> 20} MB",
                $"at most {Math.Min(free, (long)Array.MaxLength * sizeof(float)) >> 20} MB, which is what there is", "use fewer of them");
    }
}
