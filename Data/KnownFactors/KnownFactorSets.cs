using VaeFromScratch.Data.Streaming;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.KnownFactors;

/// <summary>
/// The data sets whose factors are known and that are read once into a cache file: 3D Shapes, Cars3D, SmallNORB, MPI3D and dressed
/// dSprites.
/// </summary>
internal static class KnownFactorSets
{
    private const string Chosen = "; of more than 100 000 images a random choice is used";

    public static IReadOnlyList<DatasetInfo> All { get; } =
    [
        Set("shapes3d", "shapes3d", $"480 000 renderings of an object in a room, 64 x 64 colour, 6 known factors{Chosen}",
            "Apache-2.0; DeepMind",
            "the 3d-shapes repository of DeepMind: 3dshapes.h5", 267_600_000, folder => Existing(folder, Shapes3D.File),
                files => Shapes3D.Read(files[0])),
        Set("cars3d", "cars3d", "17 568 renderings of 183 cars, scaled to 64 x 64 colour, 3 known factors",
            "no explicit licence; research use with citation of Reed et al., 2015",
            "the page of Deep Visual Analogy-Making by Scott Reed: nips2015-analogy-data.tar.gz, its files cars/*.mat", 300_000_000,
            folder => Cars3D.Files(folder) is { Length: > 0 } found ? found : null, Cars3D.Read),
        Set("smallnorb", "smallnorb", "48 600 photographs of 50 toys, scaled to 64 x 64 grey, 5 known factors",
            "research use only; LeCun, Huang and Bottou, 2004",
            "the SmallNORB page of New York University: the six files smallnorb-*-mat.gz of training and testing, unpacked", 900_000_000,
            folder => SmallNorb.Files(folder) is var all && Array.TrueForAll(all, File.Exists) ? all : null,
                files => SmallNorb.Read(Path.GetDirectoryName(files[0])!)) with
        {
            ImageSize = (64, 64, 1),
        },
        Set("mpi3d", "mpi3d", $"1 036 800 images of a robot arm, renderings or photographs, 64 x 64 colour, 7 known factors{Chosen}",
            "CC BY 4.0; Gondal et al., 2019",
            "the mpi3d_dataset repository of its authors: one of mpi3d_toy.npz, mpi3d_realistic.npz, mpi3d_real.npz", 12_740_000_000,
                folder => Existing(folder, Mpi3d.Files), files => Mpi3d.Read(files[0])),
        Sprites("dsprites-colour", Dress.Colour, "dsprites, each shape in a random colour, 64 x 64 colour; the colour is no factor"),
        Sprites("dsprites-noise", Dress.Noise, "dsprites, white on a background of colour noise, 64 x 64 colour"),
    ];

    private static DatasetInfo Sprites(string name, Dress dress, string description) =>
        Set(name, "dsprites", description, "Apache-2.0; DeepMind",
            "the dsprites-dataset repository of DeepMind, as those of dsprites; this set is made from them", 26_764_248,
            folder => Existing(folder, DSprites.Files),
            files => DressedSprites.Read(DSprites.Read(files[0], FactorCache.MostImages), dress, name));

    private static string[]? Existing(string folder, params string[] names) =>
        names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists) is { } path ? [path] : null;

    /// <param name="folder">Where its files lie under the data folder.</param>
    /// <param name="find">The files in a folder; null where one is missing.</param>
    private static DatasetInfo Set(string name, string folder, string description, string licence, string source, long bytes, Func<string,
        string[]?> find, Func<string[], FactorSource> read)
    {
        ImageCache Prepare(string from, string cacheDir, Action<int, int>? progress) => find(from) is { } files
            ? FactorCache.Open(name, cacheDir, files, () => read(files), progress)
            : throw DataException.In(from, $"no files of {name}", source, "put them there");
        ImageCache Open(string dataDir, string cacheDir, Action<int, int>? progress)
        {
            string from = Path.Combine(dataDir, folder);
            return find(from) is null && FactorCache.Only(name, cacheDir) is { } cache ? cache : Prepare(from, cacheDir, progress);
        }
        return new(name, description, licence, source, [], dataDir =>
        {
            using var cache = Open(dataDir, CacheFolder.Default, null);
            return new(cache.Train.ToDataset(), cache.Test.ToDataset()) { Notes = cache.Header.Notes };
        })
        {
            UnlistedBytes = bytes,
            ImageSize = (64, 64, 3),
            Presence = dataDir => find(Path.Combine(dataDir, folder)) is not null,
            OpenCache = Open,
            PrepareFrom = Prepare,
            IsPrepared = cacheDir => FactorCache.IsPrepared(name, cacheDir),
        };
    }
}
