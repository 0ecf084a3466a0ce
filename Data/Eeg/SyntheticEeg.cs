using VaeFromScratch.Data.Synthetic;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Eeg;

/// <summary>What makes a planted source stronger.</summary>
internal enum Emotion
{
    None,
    Valence,
    Arousal,
}

/// <summary>A source of band-limited activity at a known place of the head.</summary>
/// <param name="Band">The frequencies of the source, Hz.</param>
/// <param name="Electrode">Where it is strongest.</param>
/// <param name="Emotion">What its amplitude depends on; <see cref="Emotion.None"/> varies at random from trial to trial.</param>
/// <param name="Strength">Logarithm of the amplitude's change from the middle of the scale to its upper end.</param>
internal sealed record PlantedSource(Band Band, string Electrode, Emotion Emotion, double Strength);

/// <summary>
/// EEG with a known answer, in DEAP's sizes and units: noise in every channel plus a few sources, some of which follow the trial's valence
/// or arousal. Ratings
/// stay clear of the middle of the scale, and every participant has each of the four classes equally often.
/// </summary>
internal static class SyntheticEeg
{
    /// <summary>"eegn" in ASCII.</summary>
    private const uint Stream = 0x6565676E;
    private const string Name = "synthetic-eeg";
    private const int Waves = 8;
    private const double SourceMicrovolts = 6, NoiseMicrovolts = 3;
    /// <summary>Radius of a source on the projected head, in radians.</summary>
    private const double Spread = 0.55;
    private const int PeripheralChannels = 8;

    /// <summary>People in the set unless told otherwise.</summary>
    public const int Participants = 12;

    /// <summary>Six trials of ten to train on, which leaves enough others for a share of them to mean something.</summary>
    private const double TrainShare = 0.6;

    /// <summary>The planted truth: which band and place tell which emotion.</summary>
    public static IReadOnlyList<PlantedSource> Sources { get; } =
    [
        new(BandPower.Bands[0], "F3", Emotion.Valence, -0.6),
        new(BandPower.Bands[1], "Fz", Emotion.Arousal, 0.6),
        new(BandPower.Bands[2], "T8", Emotion.Arousal, 0.5),
        new(BandPower.Bands[2], "P3", Emotion.Valence, 0.5),
        new(BandPower.Bands[0], "Oz", Emotion.None, 0.4),
        new(BandPower.Bands[1], "P4", Emotion.None, 0.4),
        new(BandPower.Bands[2], "T7", Emotion.None, 0.4),
    ];

    /// <summary>One participant; the same arguments always give the same recording.</summary>
    /// <param name="participant">From 1.</param>
    public static EegRecording Record(int participant, ulong seed = 1, int trials = 40, int seconds = 63)
    {
        int channels = Electrodes.All.Count, samples = seconds * EegRecording.SamplesPerSecond;
        float[] ratings = Ratings(participant, seed, trials);
        float[] signals = new float[trials * channels * samples];
        double[][] patterns = [.. Sources.Select(Pattern)];
        Parallel.For(0, trials, trial =>
        {
            var random = new HostRandom(seed, Stream, (uint)participant, (uint)trial + 1);
            var signal = signals.AsSpan(trial * channels * samples, channels * samples);
            for (int i = 0; i < signal.Length; i++)
                signal[i] = (float)NoiseMicrovolts * random.RoughNormal();
            for (int s = 0; s < Sources.Count; s++)
                Add(Wave(Sources[s], ratings.AsSpan(EegRecording.RatingsPerTrial * trial), seconds, ref random), patterns[s], signal);
            SubtractAverage(signal, channels);
        });
        return new($"s{participant:00}", trials, channels, samples, signals, ratings);
    }

    /// <summary>Several participants as a data set.</summary>
    public static EegDataset Create(int participants = Participants, ulong seed = 1) =>
        EegDataset.From(Enumerable.Range(1, participants).Select(participant => Record(participant, seed)), Name,
            new() { TrainShare = TrainShare });

    /// <summary>The recordings that <see cref="WriteDat"/> left in a folder; without them, the same made anew.</summary>
    public static EegDataset Load(string folder) =>
        Deap.Find(folder).Count > 0 ? EegDataset.Load(folder, Name, new() { TrainShare = TrainShare }) : Create();

    /// <summary>
    /// Writes s01.dat, s02.dat, ... in exactly the layout of DEAP's preprocessed files, peripheral channels included: 103 MB each.
    /// </summary>
    /// <returns>The files.</returns>
    public static IEnumerable<string> WriteDat(string folder, int participants = Participants, ulong seed = 1)
    {
        for (int participant = 1; participant <= participants; participant++)
        {
            var recording = Record(participant, seed);
            string file = Path.Combine(folder, $"{recording.Participant}.dat");
            AtomicFile.Write(file, stream => PickleWriter.Write(stream, ToArrays(recording)));
            yield return file;
        }
    }

    /// <summary>The two arrays of a DEAP file: data [trials, 40, samples] and labels [trials, 4].</summary>
    internal static IReadOnlyList<(string Name, int[] Shape, double[] Values)> ToArrays(EegRecording recording)
    {
        int channels = recording.Channels + PeripheralChannels;
        double[] data = new double[recording.Trials * channels * recording.Samples];
        for (int trial = 0; trial < recording.Trials; trial++)
            for (int channel = 0; channel < channels; channel++)
            {
                var to = data.AsSpan((trial * channels + channel) * recording.Samples, recording.Samples);
                for (int i = 0; i < to.Length; i++)
                    to[i] = channel < recording.Channels
                        ? recording.Signals[(trial * recording.Channels + channel) * recording.Samples + i]
                        : 100 * Math.Sin(2 * Math.PI * i * (channel - recording.Channels + 1) / (10.0 * EegRecording.SamplesPerSecond));
            }
        return
        [
            ("labels", [recording.Trials, EegRecording.RatingsPerTrial], Array.ConvertAll(recording.Ratings, r => (double)r)),
            ("data", [recording.Trials, channels, recording.Samples], data),
        ];
    }

    private static float[] Ratings(int participant, ulong seed, int trials)
    {
        var random = new HostRandom(seed, Stream, (uint)participant);
        int[] classes = [.. Enumerable.Range(0, trials).Select(t => t % EegRecording.ClassNames.Count)];
        random.Shuffle<int>(classes);
        float[] ratings = new float[trials * EegRecording.RatingsPerTrial];
        for (int trial = 0; trial < trials; trial++)
        {
            var rating = ratings.AsSpan(EegRecording.RatingsPerTrial * trial);
            rating[0] = Rating((classes[trial] & 1) != 0, ref random);
            rating[1] = Rating((classes[trial] & 2) != 0, ref random);
            rating[2] = (float)random.Uniform(1, 9);
            rating[3] = (float)random.Uniform(1, 9);
        }
        return ratings;
    }

    private static float Rating(bool high, ref HostRandom random) =>
        EegRecording.MiddleRating + (high ? 1 : -1) * (float)random.Uniform(1, 4);

    private static double[] Pattern(PlantedSource source)
    {
        var centre = Electrodes.All[Electrodes.IndexOf(source.Electrode)].Projected;
        return [.. Electrodes.All.Select(e =>
            Math.Exp(-(Square(e.Projected.X - centre.X) + Square(e.Projected.Y - centre.Y)) / (2 * Spread * Spread)))];
    }

    /// <summary>
    /// A few sine waves inside the band, their sum of mean square 1 times an amplitude that wavers from second to second.
    /// </summary>
    private static float[] Wave(PlantedSource source, ReadOnlySpan<float> ratings, int seconds, ref HostRandom random)
    {
        double drive = source.Emotion switch
        {
            Emotion.Valence => (ratings[0] - EegRecording.MiddleRating) / 4,
            Emotion.Arousal => (ratings[1] - EegRecording.MiddleRating) / 4,
            _ => random.Normal(),
        };
        double level = SourceMicrovolts * Math.Exp(source.Strength * drive) * Math.Sqrt(2.0 / Waves);
        float[] wave = new float[seconds * EegRecording.SamplesPerSecond];
        for (int w = 0; w < Waves; w++)
        {
            // Half a hertz from the edges, so that next to nothing leaks into the neighbouring band.
            double frequency = random.Uniform(source.Band.Low + 0.5, source.Band.High - 1.5);
            double phase = random.Uniform(0, 2 * Math.PI);
            var (turn, at) = (System.Numerics.Complex.FromPolarCoordinates(1, 2 * Math.PI * frequency / EegRecording.SamplesPerSecond),
                System.Numerics.Complex.FromPolarCoordinates(1, phase));
            for (int i = 0; i < wave.Length; i++)
            {
                wave[i] += (float)at.Real;
                at *= turn;
            }
        }
        double gain = level * Math.Exp(0.2 * random.Normal()), next = gain;
        for (int i = 0; i < wave.Length; i++)
        {
            int within = i % EegRecording.SamplesPerSecond;
            if (within == 0)
                (gain, next) = (next, level * Math.Exp(0.2 * random.Normal()));
            wave[i] *= (float)(gain + (next - gain) * within / EegRecording.SamplesPerSecond);
        }
        return wave;
    }

    private static void Add(float[] wave, double[] pattern, Span<float> signal)
    {
        for (int channel = 0; channel < pattern.Length; channel++)
        {
            float weight = (float)pattern[channel];
            var to = signal.Slice(channel * wave.Length, wave.Length);
            for (int i = 0; i < to.Length; i++)
                to[i] += weight * wave[i];
        }
    }

    /// <summary>Refers every channel to the average of all, as DEAP's preprocessing does.</summary>
    private static void SubtractAverage(Span<float> signal, int channels)
    {
        int samples = signal.Length / channels;
        float[] average = new float[samples];
        for (int channel = 0; channel < channels; channel++)
            for (int i = 0; i < samples; i++)
                average[i] += signal[channel * samples + i] / channels;
        for (int channel = 0; channel < channels; channel++)
            for (int i = 0; i < samples; i++)
                signal[channel * samples + i] -= average[i];
    }

    private static double Square(double x) => x * x;
}
