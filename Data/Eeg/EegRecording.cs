using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Eeg;

/// <summary>One participant's EEG and self-assessment, as DEAP gives them.</summary>
/// <param name="Participant">The participant's number in the file names: s01, s02, ...</param>
/// <param name="Trials">Videos watched: 40.</param>
/// <param name="Channels">EEG channels in the order of <see cref="Electrodes.All"/>: 32; the peripheral channels are left out.</param>
/// <param name="Samples">Samples a trial: 8064, 63 seconds, of which the first three come before the video.</param>
/// <param name="Signals">Microvolts, [Trials, Channels, Samples].</param>
/// <param name="Ratings">Valence, arousal, dominance, liking, each from 1 to 9: [Trials, 4].</param>
internal sealed record EegRecording(string Participant, int Trials, int Channels, int Samples, float[] Signals, float[] Ratings)
{
    public const int SamplesPerSecond = 128;
    public const int RatingsPerTrial = 4;

    /// <summary>Self-assessments above this count as high.</summary>
    public const float MiddleRating = 5;

    public int Seconds => Samples / SamplesPerSecond;

    /// <summary>One second of one channel.</summary>
    public ReadOnlySpan<float> Second(int trial, int channel, int second) =>
        Signals.AsSpan((trial * Channels + channel) * Samples + second * SamplesPerSecond, SamplesPerSecond);

    /// <summary>Class of a trial: 0 low arousal and valence, 1 high valence only, 2 high arousal only, 3 both high.</summary>
    public int ClassOf(int trial) => ClassOf(valence: Ratings[RatingsPerTrial * trial], arousal: Ratings[RatingsPerTrial * trial + 1]);

    public static int ClassOf(float valence, float arousal) => (arousal > MiddleRating ? 2 : 0) + (valence > MiddleRating ? 1 : 0);

    /// <summary>Names of the classes, in order.</summary>
    public static IReadOnlyList<string> ClassNames { get; } =
        ["low arousal, low valence", "low arousal, high valence", "high arousal, low valence", "high arousal, high valence"];
}

/// <summary>
/// DEAP's preprocessed files (Koelstra et al., 2012): s01 to s32, each as a Python pickle (.dat) or a MATLAB file (.mat).
/// </summary>
internal static class Deap
{
    public const int Participants = 32;
    private const int Trials = 40, AllChannels = 40, Samples = 8064;

    private static readonly string[] Names = ["data", "labels"];
    private static readonly string[] Folders = ["data_preprocessed_python", "data_preprocessed_matlab", ""];

    /// <summary>
    /// The recordings in a folder, or in its data_preprocessed_python or data_preprocessed_matlab, in order of participants.
    /// </summary>
    public static IReadOnlyList<string> Find(string folder)
    {
        foreach (string below in Folders.Select(name => Path.Combine(folder, name)))
            foreach (string extension in (string[])[".dat", ".mat"])
            {
                string[] found =
                    [.. Enumerable.Range(1, Participants).Select(i => Path.Combine(below, $"s{i:00}{extension}")).Where(File.Exists)];
                if (found.Length > 0)
                    return found;
            }
        return [];
    }

    /// <summary>Reads one participant's file.</summary>
    /// <exception cref="DataException">It is missing, damaged, or not in DEAP's layout.</exception>
    public static EegRecording Read(string path)
    {
        var arrays = path.EndsWith(".mat", StringComparison.OrdinalIgnoreCase) ? MatFile.Read(path, Names) : PickleReader.Read(path);
        return FromArrays(arrays, Path.GetFileNameWithoutExtension(path), path);
    }

    internal static EegRecording FromArrays(IReadOnlyDictionary<string, NpyArray> arrays, string participant, string file)
    {
        var data = Require(arrays, "data", file);
        var labels = Require(arrays, "labels", file);
        if (data.Shape is not [> 0 and var trials, AllChannels, > 0 and var samples] || samples % EegRecording.SamplesPerSecond != 0)
            throw DataException.In(file, $"data of shape {HostArray.Describe(data.Shape)}",
                $"[{Trials}, {AllChannels}, {Samples}]: trials, channels and samples in whole seconds of {EegRecording.SamplesPerSecond}",
                "use the preprocessed files");
        if (labels.Shape is not [var rated, EegRecording.RatingsPerTrial] || rated != trials)
            throw DataException.In(file, $"labels of shape {HostArray.Describe(labels.Shape)}",
                $"[{trials}, {EegRecording.RatingsPerTrial}]", "use the preprocessed files");

        int channels = Electrodes.All.Count;
        float[] signals = new float[trials * channels * samples];
        for (int trial = 0; trial < trials; trial++)
            data.CopyFloats(trial * AllChannels * samples, signals.AsSpan(trial * channels * samples, channels * samples));
        float[] ratings = labels.ToFloats();
        if (!AreFinite(signals))
            throw DataException.In(file, "a signal that is infinite or not a number", "finite values");
        if (ratings.AsSpan().IndexOfAnyExceptInRange(1f, 9f) is >= 0 and var bad)
            throw DataException.In(file, $"rating {ratings[bad]} of trial {bad / EegRecording.RatingsPerTrial}", "1 to 9");
        return new(participant, trials, channels, samples, signals, ratings);
    }

    private static NpyArray Require(IReadOnlyDictionary<string, NpyArray> arrays, string name, string file) =>
        arrays.TryGetValue(name, out var array) ? array
            : throw DataException.In(file, $"no array '{name}'", "data and labels", "use the preprocessed files");

    private static bool AreFinite(ReadOnlySpan<float> values)
    {
        bool finite = true;
        foreach (float value in values)
            finite &= float.IsFinite(value);
        return finite;
    }
}
