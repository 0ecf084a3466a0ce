using VaeFromScratch.Data.Synthetic;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Eeg;

/// <summary>How recordings become images; the defaults are those of paper 1.</summary>
internal sealed record EegOptions
{
    public IReadOnlyList<Band> Bands { get; init; } = BandPower.Bands;

    /// <summary>Take the logarithm of the power, which makes its distribution less lopsided. The papers do not.</summary>
    public bool LogPower { get; init; }

    /// <summary>Share of the trials to train on; of the rest, half is for validation and half for testing.</summary>
    public double TrainShare { get; init; } = 0.8;

    /// <summary>Seed of the split.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>
/// Trials of EEG as sequences of head maps, one a second with one channel a band. The power of every electrode is kept; maps are drawn when
/// they are asked
/// for. Whole trials, never single seconds, are split, and what normalises the maps is fitted to the training trials alone.
/// </summary>
internal sealed class EegDataset
{
    /// <summary>"eegs" in ASCII.</summary>
    private const uint SplitStream = 0x65656773;
    /// <summary>Normalised values that become the bytes 0 and 255, in standard deviations from the mean.</summary>
    private const float ByteRange = 4;

    private static TopographicMap Map => TopographicMap.Deap;

    private readonly float[] power;
    private readonly float[] means, deviations;

    private EegDataset(string name, EegOptions options, int steps, float[] power, float[] ratings)
    {
        (Name, Options, Steps, this.power, Ratings) = (name, options, steps, power, ratings);
        Trials = ratings.Length / EegRecording.RatingsPerTrial;
        Classes = [.. Enumerable.Range(0, Trials).Select(t => EegRecording.ClassOf(valence: ratings[EegRecording.RatingsPerTrial * t],
            arousal: ratings[EegRecording.RatingsPerTrial * t + 1]))];
        (Train, Validation, Test) = Split(Trials, options);
        (means, deviations) = FitNormalisation();
    }

    public string Name { get; }
    public EegOptions Options { get; }
    public int Trials { get; }

    /// <summary>Seconds, and so frames, a trial: 63.</summary>
    public int Steps { get; }

    public int Bands => Options.Bands.Count;

    /// <summary>Valence, arousal, dominance and liking, [Trials, 4].</summary>
    public float[] Ratings { get; }

    /// <summary>See <see cref="EegRecording.ClassOf(int)"/>, [Trials].</summary>
    public int[] Classes { get; }

    /// <summary>Trials to train on, in ascending order; the next two likewise.</summary>
    public int[] Train { get; }
    public int[] Validation { get; }
    public int[] Test { get; }

    /// <summary>Mean and standard deviation of each band's map pixels inside the head over the training trials.</summary>
    public IReadOnlyList<(float Mean, float Deviation)> Normalisation => [.. means.Zip(deviations)];

    /// <summary>Joins recordings of one length.</summary>
    /// <exception cref="DataException">There are none, they differ in length, or there are too few trials for three splits.</exception>
    public static EegDataset From(IEnumerable<EegRecording> recordings, string name, EegOptions? options = null)
    {
        options ??= new();
        var power = new List<float[]>();
        var ratings = new List<float>();
        int steps = 0;
        foreach (var recording in recordings)
        {
            if (steps != 0 && recording.Seconds != steps)
                throw DataException.In(recording.Participant, $"trials of {recording.Seconds} seconds",
                    $"{steps}, as in the recordings before it");
            if (recording.Channels != Map.Channels)
                throw DataException.In(recording.Participant, $"{recording.Channels} channels", $"{Map.Channels}");
            steps = recording.Seconds;
            power.Add(BandPower.PerSecond(recording, options.Bands));
            ratings.AddRange(recording.Ratings);
        }
        if (ratings.Count < 3 * EegRecording.RatingsPerTrial)
            throw DataException.In(name, $"{ratings.Count / EegRecording.RatingsPerTrial} trials", "3 or more", "add recordings");
        float[] all = [.. power.SelectMany(p => p)];
        if (options.LogPower)
            for (int i = 0; i < all.Length; i++)
                all[i] = MathF.Log(all[i] + 1e-12f);
        return new(name, options, steps, all, [.. ratings]);
    }

    /// <summary>The recordings in a folder.</summary>
    /// <exception cref="DataException">There are none, or one is damaged.</exception>
    public static EegDataset Load(string folder, string name, EegOptions? options = null)
    {
        var files = Deap.Find(folder);
        return files.Count > 0
            ? From(files.Select(Deap.Read), name, options)
            : throw DataException.In(folder, "no recording s01 to s32", "the preprocessed .dat or .mat files",
                "ask the makers of DEAP for access and put their files there");
    }

    /// <summary>Band power of one second, [Bands, channels].</summary>
    public ReadOnlySpan<float> Power(int trial, int step) =>
        power.AsSpan((trial * Steps + step) * Bands * Map.Channels, Bands * Map.Channels);

    /// <summary>The maps of one trial, normalised: [Steps, 32, 32, Bands]; pixels outside the head are 0.</summary>
    public float[] Frames(int trial)
    {
        const int pixels = TopographicMap.Side * TopographicMap.Side;
        float[] frames = new float[Steps * pixels * Bands];
        Span<float> map = stackalloc float[pixels];
        for (int step = 0; step < Steps; step++)
            for (int band = 0; band < Bands; band++)
            {
                Map.Draw(Power(trial, step).Slice(band * Map.Channels, Map.Channels), map);
                var frame = frames.AsSpan(step * pixels * Bands, pixels * Bands);
                float mean = means[band], scale = 1 / deviations[band];
                for (int pixel = 0; pixel < pixels; pixel++)
                    frame[pixel * Bands + band] = Map.Inside[pixel] ? (map[pixel] - mean) * scale : 0;
            }
        return frames;
    }

    /// <summary>
    /// The frames of some trials as bytes, one trial after another: 0.5 + normalised value / 8, clamped to [0, 1], so that four standard
    /// deviations either
    /// way are told apart and the mean is grey. Labels are classes; <see cref="ImageDataset.SequenceLength"/> says which frames belong
    /// together.
    /// </summary>
    public ImageDataset ToImages(string split, int[] trials)
    {
        int perTrial = Steps * TopographicMap.Side * TopographicMap.Side * Bands;
        byte[] pixels = new byte[checked(trials.Length * perTrial)];
        byte[] labels = new byte[trials.Length * Steps];
        Parallel.For(0, trials.Length, i =>
        {
            var to = pixels.AsSpan(i * perTrial, perTrial);
            float[] frames = Frames(trials[i]);
            for (int p = 0; p < to.Length; p++)
                to[p] = (byte)MathF.Round(255 * Math.Clamp(0.5f + frames[p] / (2 * ByteRange), 0, 1));
            labels.AsSpan(i * Steps, Steps).Fill((byte)Classes[trials[i]]);
        });
        return new ImageDataset(Name, split, trials.Length * Steps, TopographicMap.Side, TopographicMap.Side, Bands, pixels, labels,
            EegRecording.ClassNames.Count, ImageDataset.ByteScale)
        {
            SequenceLength = Steps,
        }.CheckConsistency(Name);
    }

    /// <summary>Training and test trials as images; the validation trials are left out.</summary>
    public DatasetSplits ToSplits() => new(ToImages("train", Train), ToImages("test", Test));

    private static (int[] Train, int[] Validation, int[] Test) Split(int trials, EegOptions options)
    {
        int[] order = [.. Enumerable.Range(0, trials)];
        new HostRandom(options.Seed, SplitStream).Shuffle<int>(order);
        int train = Math.Clamp((int)Math.Round(options.TrainShare * trials), 1, trials - 2);
        int validation = train + (trials - train) / 2;
        return ([.. order[..train].Order()], [.. order[train..validation].Order()], [.. order[validation..].Order()]);
    }

    /// <summary>Moments of all pixels of the training maps, without drawing them: a map is linear in the power of the electrodes.</summary>
    private (float[] Means, float[] Deviations) FitNormalisation()
    {
        double[] sum = Map.PixelSum();
        double[,] squares = Map.PixelSquares();
        double pixels = (double)Map.Inside.Count(inside => inside) * Train.Length * Steps;
        float[] centre = new float[Bands], spread = new float[Bands];
        Parallel.For(0, Bands, band =>
        {
            double first = 0, second = 0;
            foreach (int trial in Train)
                for (int step = 0; step < Steps; step++)
                {
                    var values = Power(trial, step).Slice(band * Map.Channels, Map.Channels);
                    for (int a = 0; a < values.Length; a++)
                    {
                        double row = 0;
                        for (int b = 0; b < values.Length; b++)
                            row += squares[a, b] * values[b];
                        first += sum[a] * values[a];
                        second += row * values[a];
                    }
                }
            double mean = first / pixels;
            double deviation = Math.Sqrt(Math.Max(0, second / pixels - mean * mean));
            (centre[band], spread[band]) = ((float)mean, deviation > 0 ? (float)deviation : 1);
        });
        return (centre, spread);
    }
}
