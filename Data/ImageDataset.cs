using VaeFromScratch.Data.Own;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data;

/// <summary>The known factors that an image set was drawn from (dSprites, synthetic shapes).</summary>
/// <param name="Names">One name a factor.</param>
/// <param name="Sizes">How many values each factor takes.</param>
/// <param name="Classes">Index of each image's value, [Count, factors].</param>
/// <param name="Values">The value itself, in the factor's own unit, [Count, factors].</param>
public sealed record GroundTruth(string[] Names, int[] Sizes, int[] Classes, float[] Values)
{
    /// <summary>The name of a factor whose values have no order.</summary>
    internal const string Shape = "shape";

    /// <summary>The names of the factors whose values have no order.</summary>
    public string[] Unordered { get; init; } = [Shape];

    public int Factors => Names.Length;

    /// <summary>Which factors have no order, so that a number cannot stand for their value, [factors].</summary>
    public bool[] Categorical => Array.ConvertAll(Names, Unordered.Contains);

    internal GroundTruth Take(int n) => this with { Classes = Classes[..(n * Factors)], Values = Values[..(n * Factors)] };

    internal GroundTruth Select(ReadOnlySpan<int> images)
    {
        var selected = this with { Classes = new int[images.Length * Factors], Values = new float[images.Length * Factors] };
        for (int i = 0; i < images.Length; i++)
        {
            Classes.AsSpan(images[i] * Factors, Factors).CopyTo(selected.Classes.AsSpan(i * Factors));
            Values.AsSpan(images[i] * Factors, Factors).CopyTo(selected.Values.AsSpan(i * Factors));
        }
        return selected;
    }
}

/// <summary>
/// One split of an image data set: stored bytes, in memory or, where that is too small, in a cache file; or numbers that bytes cannot
/// hold.
/// </summary>
/// <param name="Name">The set's name: mnist, fashion-mnist, ...</param>
/// <param name="Split">train or test.</param>
/// <param name="Count">Number of images.</param>
/// <param name="Height">Rows of an image.</param>
/// <param name="Width">Columns of an image.</param>
/// <param name="Channels">1 for grey, 3 for colour.</param>
/// <param name="Pixels">[Count, Height, Width, Channels], in file order; empty when the images are in a file (<see cref="Stored"/>) or
/// are no bytes (<see cref="Values"/>).</param>
/// <param name="Labels">[Count], each below <paramref name="Classes"/>; null when there are none.</param>
/// <param name="Classes">Number of classes, 0 without labels.</param>
/// <param name="PixelScale">What a byte is multiplied by to give a pixel in [0, 1]: 1/255, or 1 when 0 and 1 are stored.</param>
public sealed record ImageDataset(string Name, string Split, int Count, int Height, int Width, int Channels, byte[] Pixels, byte[]? Labels,
    int Classes, float PixelScale)
{
    /// <summary>The scale of pixels stored as 0 to 255.</summary>
    public const float ByteScale = 1f / 255;

    /// <summary>Images of one's own as bytes.</summary>
    /// <param name="pixels">[N, height, width, channels], 0 to 255; kept, not copied.</param>
    /// <param name="labels">[N], classes from 0; null for none.</param>
    /// <exception cref="ArgumentException">The arrays do not hold a whole number of images, as many as there are labels.</exception>
    public static ImageDataset Of(string name, byte[] pixels, int height, int width, int channels = 1, byte[]? labels = null,
        string split = "train")
    {
        int size = height * width * channels, count = size > 0 ? pixels.Length / size : 0;
        if (count == 0 || pixels.Length != count * size || labels is not null && labels.Length != count)
            throw new ArgumentException(
                $"{name}: {pixels.Length} pixels and {(labels is null ? "no" : labels.Length)} labels; expected a multiple of {height} x "
                + $"{width} x {channels} pixels and one label an image");
        return new(name, split, count, height, width, channels, pixels, labels, labels is null ? 0 : labels.Max() + 1, ByteScale);
    }

    /// <summary>Images of one's own as numbers in [0, 1], which keep their precision.</summary>
    /// <inheritdoc cref="Of(string, byte[], int, int, int, byte[], string)"/>
    /// <param name="pixels">[N, height, width, channels], each in [0, 1].</param>
    public static ImageDataset Of(string name, float[] pixels, int height, int width, int channels = 1, byte[]? labels = null,
        string split = "train") =>
        Array.FindIndex(pixels, p => !(p is >= 0 and <= 1)) is >= 0 and var bad
            ? throw new ArgumentException($"{name}: pixel {bad} is {pixels[bad]}; expected numbers from 0 to 1")
            : Of(name, new byte[pixels.Length], height, width, channels, labels, split) with { Pixels = [], Values = pixels };

    /// <summary>[Count, Height, Width, Channels], where bytes cannot hold them; null where <see cref="Pixels"/> or a file does.</summary>
    public float[]? Values { get; init; }

    /// <summary>The columns of a table, or of vectors; null where the items are pictures.</summary>
    public TableColumns? Columns { get; init; }

    /// <summary>The factors that the images were made from, where they are known.</summary>
    public GroundTruth? Factors { get; init; }

    /// <summary>Where the images are read from when they are not in memory; null when they are.</summary>
    internal CachedImages? Stored { get; init; }

    /// <summary>How many images in a row belong together, such as the 63 seconds of an EEG trial; 1 for single images.</summary>
    public int SequenceLength { get; init; } = 1;

    /// <summary>Values per image.</summary>
    public int PixelsPerImage => Height * Width * Channels;

    /// <summary>The stored bytes of one image, [Height, Width, Channels]; there are none of <see cref="Values"/>.</summary>
    public ReadOnlySpan<byte> Image(int index) => Images(index, 1);

    /// <summary>
    /// The stored bytes of images <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/>, read from the file when
    /// they are not in memory.
    /// </summary>
    public ReadOnlySpan<byte> Images(int start, int count)
    {
        if (Values is not null)
            throw new InvalidOperationException($"{Name}: its values are no bytes; {nameof(ToFloats)} gives them");
        if (Stored is null)
            return Pixels.AsSpan(start * PixelsPerImage, count * PixelsPerImage);
        byte[] pixels = GC.AllocateUninitializedArray<byte>(count * PixelsPerImage);
        Stored.Cache.ReadPixels(Stored.First + start, pixels);
        return pixels;
    }

    /// <summary>
    /// The first <paramref name="n"/> images in file order, rounded up to whole sequences; the whole set when it has no more.
    /// </summary>
    public ImageDataset Take(int n)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(n);
        n = (int)Math.Min(Count, ((long)n + SequenceLength - 1) / SequenceLength * SequenceLength);
        if (n >= Count)
            return this;
        if (Stored is not null)
            return (Stored with { Count = n }).Open();
        return this with
        {
            Count = n,
            Pixels = Values is null ? Pixels[..(n * PixelsPerImage)] : [],
            Values = Values?[..(n * PixelsPerImage)],
            Labels = Labels?[..n],
            Factors = Factors?.Take(n),
        };
    }

    /// <summary>The images of the given indices, in that order, as a split of its own.</summary>
    public ImageDataset Select(ReadOnlySpan<int> images, string split)
    {
        byte[] pixels = Values is null ? GC.AllocateUninitializedArray<byte>(images.Length * PixelsPerImage) : [];
        float[]? values = Values is null ? null : new float[images.Length * PixelsPerImage];
        byte[]? labels = Labels is null ? null : new byte[images.Length];
        for (int i = 0; i < images.Length; i++)
        {
            if (values is null)
                Image(images[i]).CopyTo(pixels.AsSpan(i * PixelsPerImage));
            else
                Values.AsSpan(images[i] * PixelsPerImage, PixelsPerImage).CopyTo(values.AsSpan(i * PixelsPerImage));
            if (labels is not null)
                labels[i] = Labels![images[i]];
        }
        return this with
        {
            Split = split,
            Count = images.Length,
            Pixels = pixels,
            Values = values,
            Stored = null,
            Labels = labels,
            Factors = Factors?.Select(images)
        };
    }

    /// <summary>
    /// Splits a set that comes without splits: a random share to train on, another to test on, each in file order; what is left is for
    /// validation.
    /// </summary>
    /// <param name="trainShare">Share of the training images, such as 0.8.</param>
    /// <param name="testShare">Share of the test images, such as 0.1.</param>
    /// <param name="seed">The same seed gives the same split.</param>
    public DatasetSplits SplitRandomly(double trainShare, double testShare, ulong seed)
    {
        int train = (int)Math.Round(Count * trainShare);
        int test = Math.Min((int)Math.Round(Count * testShare), Count - train);
        if (train < 1 || test < 1)
            throw new ArgumentException(
                $"split: shares {trainShare} and {testShare} of {Count} images leave {train} to train on and {test} to test on; both "
                + $"need at least one");
        int[] order = new BatchOrder(Count, Count, seed).Permutation(epoch: 0);
        order.AsSpan(0, train).Sort();
        order.AsSpan(Count - test).Sort();
        return new(Select(order.AsSpan(0, train), "train"), Select(order.AsSpan(Count - test), "test"));
    }

    /// <summary>
    /// Images <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/> as pixels in [0, 1], [count, Height, Width,
    /// Channels].
    /// </summary>
    public float[] ToFloats(int start, int count)
    {
        if (Values is not null)
            return Values.AsSpan(start * PixelsPerImage, count * PixelsPerImage).ToArray();
        float[] pixels = new float[count * PixelsPerImage];
        var bytes = Images(start, count);
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = bytes[i] * PixelScale;
        return pixels;
    }

    /// <summary>Checks that sizes, pixels, labels and factors agree.</summary>
    /// <param name="file">The file that errors name.</param>
    /// <returns>This data set.</returns>
    /// <exception cref="DataException">They do not.</exception>
    public ImageDataset CheckConsistency(string file)
    {
        if (Count < 1 || Height < 1 || Width < 1 || Channels is not (1 or 3))
            throw DataException.In(file, $"{Count} images of {Height} x {Width} x {Channels}", "at least one image, with 1 or 3 channels");
        if (Stored is null && (Values?.LongLength ?? Pixels.LongLength) != (long)Count * Height * Width * Channels)
            throw DataException.In(file,
                $"{Values?.LongLength ?? Pixels.LongLength} pixels for {Count} images of {Height} x {Width} x {Channels}",
                $"{(long)Count * Height * Width * Channels}");
        if (Labels is not null && Labels.Length != Count)
            throw DataException.In(file, $"{Labels.Length} labels for {Count} images", "one label an image",
                "make sure that images and labels are of the same split");
        if (Labels is not null && Labels.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)(Classes - 1)) is >= 0 and var bad)
            throw DataException.In(file, $"label {Labels[bad]} of image {bad}", $"0 to {Classes - 1}");
        if (Stored is null && PixelScale == ByteScale && Pixels.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)1) < 0
            && Pixels.Contains((byte)1))
            throw DataException.In(file, "no pixel exceeds 1 of 255", "brightness from 0 to 255",
                "were the pictures saved with values 0 and 1? Save them again with 0 and 255");
        if (Values is null && PixelScale == 1 && Pixels.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)1) is >= 0 and var loud)
            throw DataException.In(file, $"pixel value {Pixels[loud]} in image {loud / PixelsPerImage}", "0 or 1");
        if (Factors is not null && (Factors.Classes.Length != Count * Factors.Factors || Factors.Values.Length != Count * Factors.Factors))
            throw DataException.In(file, $"{Factors.Classes.Length} factor classes and {Factors.Values.Length} values",
                $"{Count} x {Factors.Factors} of each");
        if (SequenceLength < 1 || Count % SequenceLength != 0)
            throw DataException.In(file, $"{Count} images in sequences of {SequenceLength}", "whole sequences");
        return this;
    }
}

/// <summary>The splits of a data set.</summary>
public sealed record DatasetSplits(ImageDataset Train, ImageDataset Test)
{
    /// <summary>What a user should know about how the files were read, one sentence each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>SHA-256 of the file, in hexadecimal digits, where the set is a file of one's own; null for sets with a name.</summary>
    public string? Checksum { get; init; }
}
