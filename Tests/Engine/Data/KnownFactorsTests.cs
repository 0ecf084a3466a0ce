using NUnit.Framework;
using PureHDF;
using VaeFromScratch.Data;
using VaeFromScratch.Data.KnownFactors;
using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Data;

/// <summary>
/// Sets with known factors, on small files in their published formats: every image says its own factors, so that one in a wrong place
/// shows.
/// </summary>
public sealed class KnownFactorsTests
{
    [Test]
    public void Shapes3d_is_read_from_hdf5()
    {
        int[] sizes = [2, 2, 1, 2, 3, 2];
        byte[] classes = FactorSource.Grid(sizes);
        int n = classes.Length / 6;
        var (images, labels) = (new byte[n, 8, 8, 3], new double[n, 6]);
        for (int i = 0; i < n; i++)
        {
            for (int f = 0; f < 6; f++)
                // Published labels are hues, scales and angles, not indices.
                labels[i, f] = classes[i * 6 + f] * 7.5 - 30;
            for (int p = 0; p < 192; p++)
                images[i, p / 24, p / 3 % 8, p % 3] = Code(classes.AsSpan(i * 6, 6), p);
        }
        string folder = TestFiles.Folder("shapes3d");
        string path = Path.Combine(folder, Shapes3D.File);
        new H5File { ["images"] = new H5Dataset(images, chunks: [5, 8, 8, 3]), ["labels"] = labels }.Write(path);
        var set = Shapes3D.Read(path);
        Assert.That(set.Sizes, Is.EqualTo(sizes));
        Check(set, folder, [path], p => p, ["shape"]);
        Assert.That(() => Shapes3D.Read(Path.Combine(folder, "none.h5")), Throws.TypeOf<DataException>().With.Message.Contains("none.h5"));
        File.WriteAllBytes(Path.Combine(folder, "bad.h5"), File.ReadAllBytes(path)[..1500]);
        Assert.That(() => Shapes3D.Read(Path.Combine(folder, "bad.h5")).Blocks().Count(),
            Throws.TypeOf<DataException>().With.Message.Contains("bad.h5"));
        new H5File { ["images"] = images }.Write(Path.Combine(folder, "half.h5"));
        Assert.That(() => Shapes3D.Read(Path.Combine(folder, "half.h5")), Throws.TypeOf<DataException>().With.Message.Contains("labels"));
    }

    [Test]
    public void Mpi3d_is_read_row_by_row_in_the_order_of_its_grid()
    {
        int[] grid = [2, 1, 2, 1, 3, 2, 2];
        byte[] classes = FactorSource.Grid(grid);
        byte[] pixels = [.. Enumerable.Range(0, classes.Length / 7).SelectMany(i => Enumerable.Range(0,
            192).Select(p => Code(classes.AsSpan(i * 7, 7), p)))];
        string folder = TestFiles.Folder("mpi3d");
        string path = Path.Combine(folder, "mpi3d_toy.npz");
        Npz.Write(path, [("images", new NpyArray("|u1", [classes.Length / 7, 8, 8, 3], pixels))]);
        Check(Mpi3d.Read(path, grid), folder, [path], p => p, ["object colour", "object shape", "background colour"]);
        Assert.That(() => Mpi3d.Read(path),
            Throws.TypeOf<DataException>().With.Message.Contains("48 images").And.Message.Contains("1036800"),
            "no published grid has so many");
    }

    [Test]
    public void Smallnorb_takes_the_left_picture_of_both_halves()
    {
        string folder = TestFiles.Folder("smallnorb");
        byte[] all = [];
        for (int half = 0; half < 2; half++)
        {
            byte[] classes = FactorSource.Grid([2, 2, 3, 2, 2]);
            int n = classes.Length / 5;
            // The halves have other instances.
            for (int i = 0; i < n; i++)
                classes[i * 5 + 1] += (byte)(2 * half);
            all = [.. all, .. classes];
            string name = Path.Combine(folder, SmallNorb.Halves[half]);
            Matrix(name + "-cat.mat", 0x1E3D4C54, [n, 1, 1], axes: 1, [.. Enumerable.Range(0,
                n).SelectMany(i => BitConverter.GetBytes((int)classes[i * 5]))]);
            Matrix(name + "-info.mat", 0x1E3D4C54, [n, 4, 1], axes: 2, [.. Enumerable.Range(0, n).SelectMany(i =>
                ((int[])[classes[i * 5 + 1], classes[i * 5 + 2], 2 * classes[i * 5 + 3],
                    classes[i * 5 + 4]]).SelectMany(BitConverter.GetBytes))]);
            // 96 x 96 pictures of one value each, so that scaling keeps it; the right one is black.
            Matrix(name + "-dat.mat", 0x1E3D4C55, [n, 2, 96, 96], axes: 4, [.. Enumerable.Range(0, n).SelectMany(i =>
                Enumerable.Repeat(Code(classes.AsSpan(i * 5, 5), 0), 96 * 96).Concat(new byte[96 * 96]))]);
        }
        var set = SmallNorb.Read(folder);
        Assert.That(set.Sizes, Is.EqualTo(new[] { 2, 4, 3, 2, 2 }));
        Assert.That(set.Classes, Is.EqualTo(all));
        Check(set, folder, SmallNorb.Files(folder), _ => 0, ["category", "instance"]);
        File.WriteAllBytes(SmallNorb.Files(folder)[1], [1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.That(() => SmallNorb.Read(folder), Throws.TypeOf<DataException>().With.Message.Contains("cat.mat"));
    }

    [Test]
    public void Cars3d_has_a_matlab_file_for_each_car()
    {
        string folder = TestFiles.Folder("cars3d");
        const int cars = 3, elevations = 2, azimuths = 4, side = 64;
        for (int car = 0; car < cars; car++)
        {
            // Column-major [rows, columns, channels, azimuths, elevations]; one value a picture, so that order and not scaling shows.
            byte[] im = [.. from e in Enumerable.Range(0, elevations)
                            from a in Enumerable.Range(0, azimuths)
                            from i in Enumerable.Range(0, side * side * 3)
                            select Code([(byte)e, (byte)a, (byte)car], 0)];
            File.WriteAllBytes(Path.Combine(folder, $"car_{car}_mesh.mat"), Eeg.MatFileTests.Bytes("im", [side, side, 3, azimuths,
                elevations], im));
        }
        string[] files = Cars3D.Files(folder);
        var set = Cars3D.Read(files);
        Assert.That(set.Sizes, Is.EqualTo(new[] { elevations, azimuths, cars }));
        Check(set, folder, files, _ => 0, ["car"]);
        Assert.That(() => Cars3D.Read([]), Throws.TypeOf<DataException>().With.Message.Contains("0 files"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Dressed_sprites_keep_shape_and_factors(bool colour)
    {
        byte[] classes = FactorSource.Grid([3, 4]);
        byte[] pixels = [.. Enumerable.Range(0, 12).SelectMany(i => Enumerable.Range(0, 64).Select(p => (byte)(p / 8 > i / 4
            && p % 8 > i % 4 ? 1 : 0)))];
        var sprites = new ImageDataset("dsprites", "all", 12, 8, 8, 1, pixels, null, 0, 1)
        {
            Factors = new(["shape", "scale"], [3, 4],
            Array.ConvertAll(classes, c => (int)c), new float[24])
        };
        var set = DressedSprites.Read(sprites, colour ? Dress.Colour : Dress.Noise, "dsprites-colour");
        byte[] dressed = [.. set.Blocks().SelectMany(b => b.Pixels)];
        Assert.That(dressed, Is.EqualTo(set.Blocks().SelectMany(b => b.Pixels)), "the same every time");
        for (int i = 0; i < 12; i++)
            for (int p = 0; p < 64; p++)
            {
                byte[] pixel = dressed[((i * 64 + p) * 3)..((i * 64 + p) * 3 + 3)];
                if (pixels[i * 64 + p] == 0)
                    Assert.That(pixel, colour ? Is.All.Zero : Is.All.LessThanOrEqualTo(255));
                else
                    Assert.That(pixel, colour ? Is.All.GreaterThanOrEqualTo(127) : Is.All.EqualTo(255));
            }
        Assert.That(dressed.Distinct().Count(), Is.GreaterThan(10), "images differ in their colours");
        Assert.That(set.Classes, Is.EqualTo(classes));
    }

    [Test]
    public void A_large_set_keeps_a_random_choice_and_says_so()
    {
        byte[] classes = FactorSource.Grid([40, 5]);
        var set = new FactorSource("many", 2, 2, 1, ["a", "b"], [40, 5], [], classes, () => Enumerable.Range(0, 20).Select(b =>
            new ImageBlock(10 * b, [.. Enumerable.Range(10 * b, 10).SelectMany(i => Enumerable.Range(0,
                4).Select(p => Code(classes.AsSpan(2 * i, 2), p)))])));
        string folder = TestFiles.Folder("known-many");
        using var cache = FactorCache.Open("many", folder, [], () => set, null, mostImages: 50);
        Assert.That((cache.Header.Train, cache.Header.Test), Is.EqualTo((45, 5)));
        Assert.That(cache.Header.Notes, Has.One.Contains("50 of its 200"));
        Assert.That(cache.Train.ToDataset().Factors!.Categorical, Is.EqualTo(new[] { false, false }));
        CheckImages(cache.Train.ToDataset(), p => p);
        var short_ = set with { Blocks = () => set.Blocks().Skip(1) };
        Assert.That(() => FactorCache.Open("fewer", folder, [], () => short_, null),
            Throws.TypeOf<DataException>().With.Message.Contains("190 images"));
        Assert.That(Directory.GetFiles(folder, "fewer*"), Is.Empty, "nothing half-written");
    }

    [Test]
    public void Missing_files_are_named([Values("shapes3d", "cars3d", "smallnorb", "mpi3d", "dsprites-colour")] string name)
    {
        string folder = TestFiles.Folder("known-missing");
        var set = DatasetCatalogue.Find(name);
        Assert.That(set.IsPresent(folder), Is.False);
        Assert.That(() => set.Open(folder, folder), Throws.TypeOf<DataException>().With.Message.Contains($"no files of {name}"));
    }

    /// <summary>Reads the set through its cache, in memory and streamed; every image must say the factors that stand beside it.</summary>
    private static void Check(FactorSource set, string folder, string[] files, Func<int, int> position, string[] unordered)
    {
        using var cache = FactorCache.Open(set.Name, Path.Combine(folder, "cache"), files, () => set, null);
        var (train, test) = (cache.Train.Open(), cache.Test.Open());
        Assert.That(train.Count + test.Count, Is.EqualTo(set.Count));
        Assert.That(test.Count, Is.EqualTo(set.Count / 10));
        Assert.That(train.Factors!.Names, Is.EqualTo(set.Factors));
        Assert.That(train.Factors.Sizes, Is.EqualTo(set.Sizes));
        Assert.That(train.Factors.Names.Where((_, f) => train.Factors.Categorical[f]), Is.EqualTo(unordered));
        CheckImages(train, position);
        CheckImages(test, position);
        var streamed = cache.Train.Open(mostBytes: 0);
        Assert.That(streamed.Stored, Is.Not.Null);
        Assert.That(streamed.Images(0, streamed.Count).ToArray(), Is.EqualTo(train.Pixels));
        using var again = FactorCache.Open(set.Name, Path.Combine(folder, "cache"), files,
            () => throw new InvalidOperationException("made twice"), null);
        Assert.That(again.Header.Count, Is.EqualTo(set.Count));
    }

    private static void CheckImages(ImageDataset images, Func<int, int> position)
    {
        int factors = images.Factors!.Factors;
        for (int i = 0; i < images.Count; i++)
        {
            byte[] classes = [.. images.Factors.Classes.AsSpan(i * factors, factors).ToArray().Select(c => (byte)c)];
            byte[] expected = [.. Enumerable.Range(0, images.PixelsPerImage).Select(p => Code(classes, position(p)))];
            Assert.That(images.Image(i).ToArray(), Is.EqualTo(expected), $"image {i} of {images.Split}");
        }
    }

    /// <summary>A pixel that depends on all factors and on its place.</summary>
    private static byte Code(ReadOnlySpan<byte> classes, int pixel)
    {
        int code = 17;
        foreach (byte c in classes)
            code = code * 5 + c;
        return (byte)((code + 3 * pixel) % 251);
    }

    private static void Matrix(string path, int type, int[] shape, int axes, byte[] data) =>
        File.WriteAllBytes(path, [.. BitConverter.GetBytes(type), .. BitConverter.GetBytes(axes),
            .. shape.SelectMany(BitConverter.GetBytes), .. data]);
}
