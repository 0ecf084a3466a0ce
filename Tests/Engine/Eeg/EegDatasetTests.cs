using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Eeg;

public sealed class EegDatasetTests
{
    private static readonly EegRecording Short = SyntheticEeg.Record(1, seed: 3, trials: 20, seconds: 10);
    private static readonly EegDataset Set =
        EegDataset.From([Short, SyntheticEeg.Record(2, seed: 3, trials: 20, seconds: 10)], "synthetic-eeg");

    [Test]
    public void Made_up_recordings_written_as_files_of_DEAPs_layout_are_read_back_as_they_were()
    {
        string folder = TestFiles.Folder("synthetic-eeg"), file = SyntheticEeg.WriteDat(folder, participants: 1, seed: 5).Single();
        Assert.That(new FileInfo(file).Length, Is.EqualTo(40 * 40 * 8064 * 8).Within(1).Percent,
            "DEAP's files hold 40 x 40 x 8064 doubles");
        EegRecording read = Deap.Read(file), made = SyntheticEeg.Record(1, seed: 5);
        Assert.That(read.Signals.AsSpan().SequenceEqual(made.Signals));
        Assert.That(read.Ratings, Is.EqualTo(made.Ratings));
        Assert.That(SyntheticEeg.Load(folder).Trials, Is.EqualTo(40));
    }

    [Test]
    public void A_sine_wave_has_its_power_in_its_band()
    {
        const double amplitude = 3;
        float[] signals = new float[2 * 32 * 256];
        for (int i = 0; i < 256; i++)
            signals[(32 + 4) * 256 + i] =
                (float)(amplitude * Math.Sin(2 * Math.PI * 10 * i / 128 + 0.3) + 2 * Math.Cos(2 * Math.PI * 13 * i / 128));
        var recording = new EegRecording("s01", 2, 32, 256, signals, new float[8]);
        float[] power = BandPower.PerSecond(recording, BandPower.Bands);
        float At(int trial, int second, int band, int channel) => power[((trial * 2 + second) * 3 + band) * 32 + channel];
        Assert.Multiple(() =>
        {
            Assert.That(At(1, 0, 0, 4), Is.EqualTo(amplitude * amplitude / 2).Within(1e-5), "alpha");
            Assert.That(At(1, 1, 0, 4), Is.EqualTo(amplitude * amplitude / 2).Within(1e-5), "alpha, next second");
            Assert.That(At(1, 0, 1, 4), Is.EqualTo(2).Within(1e-5), "13 Hz belongs to beta");
            Assert.That(At(1, 0, 2, 4), Is.Zero.Within(1e-9), "gamma");
            Assert.That(At(1, 0, 0, 5), Is.Zero.Within(1e-9), "the channel that shares its transform");
            Assert.That(At(0, 0, 0, 4), Is.Zero.Within(1e-9), "the other trial");
        });
    }

    [Test]
    public void Power_over_all_frequencies_is_the_mean_square_of_the_signal()
    {
        float[] power = BandPower.PerSecond(Short, [new("all", 1, 64)]);
        var second = Short.Second(7, 11, 4).ToArray();
        double mean = second.Average();
        double nyquist = second.Select((v, i) => i % 2 == 0 ? (double)v : -v).Sum() / second.Length;
        Assert.That(power[(7 * 10 + 4) * 32 + 11],
            Is.EqualTo(second.Average(v => v * (double)v) - mean * mean - nyquist * nyquist).Within(1e-4));
    }

    [Test]
    public void Splits_are_whole_trials_that_do_not_overlap()
    {
        Assert.That((Set.Train.Length, Set.Validation.Length, Set.Test.Length), Is.EqualTo((32, 4, 4)));
        Assert.That(Set.Train.Concat(Set.Validation).Concat(Set.Test), Is.EquivalentTo(Enumerable.Range(0, 40)));
        var again = EegDataset.From([Short, Short], "other");
        Assert.That(again.Train, Is.EqualTo(Set.Train), "same seed, same split");
        Assert.That(EegDataset.From([Short, Short], "other", new() { Seed = 2 }).Train, Is.Not.EqualTo(Set.Train));
    }

    [Test]
    public void Maps_are_normalised_over_the_training_pixels_inside_the_head()
    {
        double[] sum = new double[3], squares = new double[3];
        int count = 0;
        foreach (int trial in Set.Train)
        {
            float[] frames = Set.Frames(trial);
            for (int i = 0; i < frames.Length; i++)
            {
                bool inside = TopographicMap.Deap.Inside[i / 3 % 1024];
                Assert.That(inside || frames[i] == 0, "0 outside the head");
                (sum[i % 3], squares[i % 3]) = (sum[i % 3] + frames[i], squares[i % 3] + (double)frames[i] * frames[i]);
                count += inside && i % 3 == 0 ? 1 : 0;
            }
        }
        for (int band = 0; band < 3; band++)
        {
            Assert.That(sum[band] / count, Is.Zero.Within(1e-4));
            Assert.That(squares[band] / count, Is.EqualTo(1).Within(1e-4));
        }
        Assert.That(TopographicMap.Deap.Inside.Count(inside => inside), Is.EqualTo(732));
    }

    [Test]
    public void Test_trials_do_not_move_the_normalisation()
    {
        var louder = Short with { Signals = [.. Short.Signals] };
        int perTrial = louder.Channels * louder.Samples;
        var set = EegDataset.From([Short], "a");
        foreach (int trial in set.Test)
            foreach (ref float value in louder.Signals.AsSpan(trial * perTrial, perTrial))
                value *= 10;
        Assert.That(EegDataset.From([louder], "b").Normalisation, Is.EqualTo(set.Normalisation));
        foreach (int trial in set.Train[..2])
            louder.Signals[trial * perTrial] += 100;
        Assert.That(EegDataset.From([louder], "c").Normalisation, Is.Not.EqualTo(set.Normalisation));
    }

    [Test]
    public void A_map_shows_the_front_above_and_the_left_on_the_left()
    {
        float[] map = new float[32 * 32], values = new float[32];
        values[Electrodes.IndexOf("F3")] = 1;
        TopographicMap.Deap.Draw(values, map);
        int highest = Array.IndexOf(map, map.Max());
        Assert.That((highest / 32, highest % 32), Is.EqualTo((7, 9)), "row and column");
    }

    [Test]
    public void Images_keep_trials_together_and_round_the_frames()
    {
        var (train, test) = Set.ToSplits();
        Assert.That((train.Count, train.Height, train.Width, train.Channels, train.SequenceLength, train.Classes),
            Is.EqualTo((320, 32, 32, 3, 10, 4)));
        Assert.That(test.Count, Is.EqualTo(40));
        float[] frames = Set.Frames(Set.Test[2]);
        float[] pixels = test.ToFloats(20, 10);
        for (int i = 0; i < frames.Length; i++)
            Assert.That(pixels[i], Is.EqualTo(Math.Clamp(0.5 + frames[i] / 8, 0, 1)).Within(0.5 / 255 + 1e-6));
        Assert.That(test.Labels![20..30], Is.All.EqualTo((byte)Set.Classes[Set.Test[2]]));
        Assert.That(train.Take(15).Count, Is.EqualTo(20), "whole sequences");
    }

    [TestCase(2, 7, 2)]
    [TestCase(9, 1, 1)]
    [TestCase(5, 5, 0)]
    [TestCase(7, 5.5f, 3)]
    [TestCase(1, 9, 2)]
    public void Classes_come_from_both_ratings(float valence, float arousal, int expected) =>
        Assert.That(EegRecording.ClassOf(valence, arousal), Is.EqualTo(expected));

    [Test]
    public void Planted_sources_tell_the_emotions_and_the_others_do_not()
    {
        foreach (var source in SyntheticEeg.Sources)
        {
            int band = BandPower.Bands.ToList().IndexOf(source.Band), channel = Electrodes.IndexOf(source.Electrode);
            double[] level = [.. Enumerable.Range(0, Set.Trials)
                .Select(t => Enumerable.Range(0, Set.Steps).Average(s => (double)Set.Power(t, s)[band * 32 + channel]))];
            foreach (var emotion in (Emotion[])[Emotion.Valence, Emotion.Arousal])
            {
                bool[] high =
                    [.. Enumerable.Range(0, Set.Trials).Select(t => Set.Ratings[4 * t + (emotion == Emotion.Valence ? 0 : 1)] > 5)];
                double accuracy = AreaUnderCurve(level, high);
                if (source.Emotion == emotion)
                    Assert.That(source.Strength > 0 ? accuracy : 1 - accuracy, Is.GreaterThan(0.95),
                        $"{source.Electrode} {source.Band.Name} {emotion}");
                else
                    Assert.That(accuracy, Is.InRange(0.25, 0.75), $"{source.Electrode} {source.Band.Name} {emotion}");
            }
        }
        Assert.That(Enumerable.Range(0, 4).Select(c => Set.Classes.Count(x => x == c)), Is.All.EqualTo(10));
    }

    [Test]
    public void Generated_files_are_read_as_what_they_were_made_from()
    {
        string folder = TestFiles.Folder("eeg");
        var arrays = SyntheticEegArrays(Short);
        File.WriteAllBytes(Path.Combine(folder, "s03.dat"), PickleReaderTests.Write([.. arrays]));
        string matlab = TestFiles.Folder("eeg-matlab");
        Directory.CreateDirectory(Path.Combine(matlab, "data_preprocessed_matlab"));
        File.WriteAllBytes(Path.Combine(matlab, "data_preprocessed_matlab", "s01.mat"),
            MatFileTests.File(true, [.. arrays.Select(a => MatFileTests.Matrix(a.Name, a.Shape, a.Values))]));

        var read = Deap.Read(Deap.Find(folder).Single());
        Assert.That(read.Participant, Is.EqualTo("s03"));
        Assert.That(read.Signals, Is.EqualTo(Short.Signals));
        Assert.That(read.Ratings, Is.EqualTo(Short.Ratings));
        Assert.That(Deap.Read(Deap.Find(matlab).Single()).Signals, Is.EqualTo(Short.Signals));
        Assert.That(() => EegDataset.Load(TestFiles.Folder("empty"), "deap"),
            Throws.TypeOf<DataException>().With.Message.Contains("s01 to s32"));
    }

    [Test]
    public void Arrays_that_are_not_deaps_are_refused()
    {
        byte[] Labels(params double[] ratings) =>
            PickleReaderTests.Write(("labels", [ratings.Length / 4, 4], ratings), ("data", [1, 40, 128], new double[40 * 128]));
        Assert.Multiple(() =>
        {
            Assert.That(() => Read(Labels(1, 2, 3, 9)), Throws.Nothing);
            Assert.That(() => Read(Labels(1, 2, 3, 9.5)), Throws.TypeOf<DataException>().With.Message.Contains("rating 9.5 of trial 0"));
            Assert.That(() => Read(Labels(1, 2, 3, double.NaN)), Throws.TypeOf<DataException>().With.Message.Contains("rating NaN"));
            Assert.That(() => Read(Labels(1, 2, 3, 4, 5, 6, 7, 8)), Throws.TypeOf<DataException>().With.Message.Contains("[2, 4]"));
            Assert.That(() => Read(PickleReaderTests.Write(("labels", [1, 4], [1, 1, 1, 1]))),
                Throws.TypeOf<DataException>().With.Message.Contains("'data'"));
            Assert.That(() => Read(PickleReaderTests.Write(("labels", [1, 4], [1, 1, 1, 1]), ("data", [1, 40, 100], new double[4000]))),
                Throws.TypeOf<DataException>().With.Message.Contains("whole seconds"));
            Assert.That(() => Read(PickleReaderTests.Write(("labels", [1, 4], [1, 1, 1, 1]), ("data", [1, 40, 128],
                [.. Enumerable.Repeat(double.PositiveInfinity, 5120)]))), Throws.TypeOf<DataException>().With.Message.Contains("infinite"));
        });

        static EegRecording Read(byte[] bytes)
        {
            string file = Path.Combine(TestFiles.Folder("deap"), "s01.dat");
            File.WriteAllBytes(file, bytes);
            return Deap.Read(file);
        }
    }

    /// <summary>Chance that a trial with the emotion has a higher level than one without.</summary>
    private static double AreaUnderCurve(double[] level, bool[] high)
    {
        var with = level.Where((_, i) => high[i]).ToArray();
        var without = level.Where((_, i) => !high[i]).ToArray();
        return with.Average(a => without.Average(b => a > b ? 1.0 : 0));
    }

    private static IReadOnlyList<(string Name, int[] Shape, double[] Values)> SyntheticEegArrays(EegRecording recording)
    {
        const int channels = 40;
        double[] data = new double[recording.Trials * channels * recording.Samples];
        for (int i = 0; i < recording.Signals.Length; i++)
        {
            int perTrial = recording.Channels * recording.Samples;
            data[i / perTrial * channels * recording.Samples + i % perTrial] = recording.Signals[i];
        }
        return [("labels", [recording.Trials, 4], Array.ConvertAll(recording.Ratings, r => (double)r)),
            ("data", [recording.Trials, channels, recording.Samples], data)];
    }
}
