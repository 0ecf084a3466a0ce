#:project ../Reports/Reports.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

// Shapes of random kind, place, size and angle, made when they are asked for; "mnist" and a folder with its files do as well.
var data = DatasetCatalogue.Load("synthetic-shapes", "");
var settings = ModelCatalogue.Defaults("beta-vae", "synthetic-shapes")
    .With(("beta", 4), ("noise", "bernoulli"), ("network", "mlp:128"), ("latents", 16), ("epochs", 8), ("batch", 50), ("limit", 5000));

using var compute = Compute.Open("auto");
using var run = TrainingRun.Open(compute, settings, data, args.Length > 0 ? args[0] : "runs/first");
run.Train(epochDone: (train, _) => Console.WriteLine($"epoch {train.Epoch}: {train.Terms[0].Value:F1} nats per image"));
var indicators = run.Evaluate().Indicators;
foreach (var factor in indicators.Ranked)
    Console.WriteLine($"factor {factor.Factor}: {factor.Information:F2} nats about the image");
int used = indicators.InfluentialFactors;
Console.WriteLine($"{used} of {indicators.Factors.Count} factors carry information");
return used > 0 && used < indicators.Factors.Count ? 0 : 1;
