#:project ../Reports/Reports.csproj
#:property PublishAot=false
// Do a model's factors match the factors of the data? dotnet run -c Release examples/disentangle.cs [OUT [DATA-DIR]]
// On dSprites where DATA-DIR holds dsprites/, else on drawn shapes of known kind, place, size and angle.
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators.Disentanglement;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Runs;

string folder = args.Length > 0 ? args[0] : "runs/disentangle", dataDir = args.Length > 1 ? args[1] : "datasets";
string name = DatasetCatalogue.IsPresent("dsprites", dataDir) ? "dsprites" : "synthetic-shapes";
var data = DatasetCatalogue.Load(name, dataDir);
var test = data.Test.Take(2000);
var factors = test.Factors!;
Console.WriteLine($"{name}: factors {string.Join(", ", factors.Names)}");

// The total correlation between the code's factors is punished beta times: see docs/equations.md, (X5).
var settings = ModelCatalogue.Defaults("beta-tcvae", name)
    .With(("network", "mlp:256"), ("latents", 10), ("noise", "bernoulli"), ("beta", 4), ("limit", 8000), ("epochs", 6));
using var compute = Compute.Open("auto");
using var run = TrainingRun.Open(compute, settings, data with { Test = test }, folder);
var (_, before) = Measure();
run.Train(epochDone: (train, _) => Console.WriteLine($"epoch {train.Epoch}: {train.Terms[0].Value:F1} nats per image"));
var (scores, after) = Measure();

Row("mutual information gap (MIG)", scores.Mig);
Row("separated attribute predictability (SAP)", scores.Sap);
Row("DCI, disentanglement", scores.DciDisentanglement);
Row("DCI, informativeness", scores.DciInformativeness);
Row("modularity", scores.Modularity);
Row("FactorVAE score", scores.FactorVae);
Console.WriteLine($"DCI, informativeness: {before:F3} before training, {after:F3} after");
// Trained for a moment only: factors need not be apart yet, but the code has to know more of them than random weights do.
return after > before ? 0 : 1;

static void Row(string metric, Score score) => Console.WriteLine($"{metric,-42} {score.Mean:F3} +- {score.HalfWidth:F3}");

(DisentanglementScores Scores, double Informativeness) Measure()
{
    using var evaluator = new Evaluator(run.Model, test, run.Configuration);
    var codes = evaluator.Encode();
    var scores = DisentanglementScores.Compute(compute.Backend,
        new LabelledCodes(codes.Points, codes.Mu, factors.Classes, factors.Categorical, codes.LogVar), seed: 1);
    return (scores, scores.DciInformativeness.Mean);
}
