#:project ../Reports/Reports.csproj
// A model of your own on data of your own, from arrays to a report: dotnet run -c Release examples/your-own-model.cs [FOLDER]
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Models.Settings;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Reports;

var entry = ModelEntry.Of<SparseSettings>("sparse-vae", (parts, settings) => new SparseVae(parts, settings));
ModelCatalogue.Add(entry);
var configuration = new RunConfiguration(entry).With(("network", "mlp:128"), ("latents", 6), ("noise", "bernoulli"), ("epochs", 12),
    ("data", "discs"));
var data = new DatasetSplits(Discs(2000, "train", seed: 1), Discs(500, "test", seed: 2));

using var compute = Compute.Open("auto");
// Where the folder has a checkpoint, training goes on from there: stop this program and start it again.
using var run = TrainingRun.Open(compute, configuration, data, args.Length > 0 ? args[0] : "runs/discs");
run.Train(epochDone: (train, test) =>
    Console.WriteLine($"epoch {train.Epoch}: {train.Terms[0].Value:F2} nats per image; on test images {test.Terms[0].Value:F2}"));
var result = run.Evaluate();
foreach (var factor in result.Indicators.Ranked)
    Console.WriteLine($"factor {factor.Factor}: {factor.Information:F2} nats");
RunReport.Write(run.Directory, run.Model, data.Test, result);
Console.WriteLine($"report: {run.Directory.ReportFile}");

// Later, in another program as well: the stored run, measured on arrays that it has never seen.
using var stored = StoredModel.Load(compute, RunDirectory.Open(run.Directory.Path));
var further = EvaluationResult.Compute(stored, Discs(300, "further", seed: 3), configuration);
Console.WriteLine($"test images: bound {result.Evlb:F2} nats; further images: {further.Evlb:F2}");
return !further.Collapsed && Math.Abs(1 - further.Likelihoods.Evlb / result.Likelihoods.Evlb) < 0.1 ? 0 : 1;

// Bright discs of random place and size on 16 x 16 pixels: three factors. Numbers from 0 to 1; bytes from 0 to 255 do as well.
static ImageDataset Discs(int count, string split, int seed)
{
    var random = new Random(seed);
    float[] pixels = new float[count * 256];
    for (int n = 0; n < count; n++)
    {
        double x = random.NextDouble() * 10 + 3, y = random.NextDouble() * 10 + 3, radius = random.NextDouble() * 3 + 1.5;
        for (int i = 0; i < 256; i++)
        {
            double distance = Math.Sqrt((i % 16 - x) * (i % 16 - x) + (i / 16 - y) * (i / 16 - y));
            pixels[256 * n + i] = (float)(1 / (1 + Math.Exp(4 * (distance - radius))));
        }
    }
    return ImageDataset.Of("discs", pixels, height: 16, width: 16, split: split);
}

/// <summary>What the model is trained with; each setting is also an option of `vae train --plugin`.</summary>
sealed record SparseSettings
{
    [Setting("weight of the penalty on the means' magnitudes", Least = 0)]
    public double Weight { get; init; } = 0.1;
}

/// <summary>NLL + KL + weight sum_h |mu_h|.</summary>
sealed class SparseVae(VaeParts parts, SparseSettings settings) : VaeModel(parts)
{
    public override Objective Objective(Tensor x)
    {
        var q = Encode(x);
        var sample = q.Sample(Rng);
        return Reconstruction(x, Decode(sample.Z)) + Kl(sample) + settings.Weight * new Term("magnitude", q.Mu.Abs().SumPerRow());
    }
}
