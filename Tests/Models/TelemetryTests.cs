using System.Diagnostics;
using System.Diagnostics.Metrics;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>What a listener to the meter and the activity source hears of a run.</summary>
public sealed class TelemetryTests : OnCpu
{
    private const string Source = "VaeFromScratch";

    [Test]
    public void A_listener_hears_the_numbers_of_each_epoch()
    {
        var heard = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == Source)
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
            heard[tags.Length == 0 ? instrument.Name : $"{instrument.Name} {tags[0].Key}={tags[0].Value}"] = value);
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => heard[instrument.Name] = value);
        listener.Start();

        var configuration = Small.Configuration().With(("epochs", 1), ("noise", "learned"));
        var data = Small.Halves(60);
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        var summary = trainer.TrainEpoch()!;

        Assert.Multiple(() =>
        {
            foreach (var (name, value) in summary.Terms)
                Assert.That(heard[$"vae.training.term term={name}"], Is.EqualTo(value));
            Assert.That(heard["vae.noise.variance"], Is.EqualTo((double)summary.Variance!));
            Assert.That(heard["vae.training.throughput"], Is.Positive);
            Assert.That(heard["vae.pool.size"], Is.GreaterThan(Compute.Pool.BytesHeld), "the captured step has a pool of its own");
        });
    }

    [Test]
    public void A_listener_hears_of_epochs_evaluations_and_checkpoints()
    {
        var heard = new List<string>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
                heard.Add($"{activity.OperationName} {string.Join(' ', activity.TagObjects.Select(t => $"{t.Key}={t.Value}"))}"),
        };
        ActivitySource.AddActivityListener(listener);

        var data = new DatasetSplits(Small.Halves(60), Small.Halves(20, split: "test"));
        var directory = RunDirectory.CreateOrReuse(Path.Combine(TestFiles.Folder("telemetry"), "run"));
        using var held = directory.Lock();
        using var run = new TrainingRun(Compute, Small.Configuration().With(("epochs", 2)), data, directory);
        run.Train(() => false, _ => { }, (_, _) => { });
        run.Evaluate();

        Assert.That(heard, Is.EqualTo(new[]
        {
            "checkpoint step=0", "epoch epoch=1 first_step=0 finished=True", "evaluation epoch=1", "checkpoint step=3",
            "epoch epoch=2 first_step=3 finished=True", "evaluation epoch=2", "checkpoint step=6", "evaluation epoch=2",
        }));
    }

    [Test]
    public void Without_a_listener_nothing_is_measured_and_nothing_allocated()
    {
        Ask();
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool heard = Ask();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(heard, Is.False);

        static bool Ask()
        {
            using var activity = Telemetry.Source.StartActivity("epoch")?.SetTag("epoch", 1);
            return activity is not null || Telemetry.IsMeasured;
        }
    }
}
