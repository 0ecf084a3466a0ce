#:project ../Reports/Reports.csproj
#:property PublishAot=false
// A VAE on a table of your own, with columns of numbers and of categories, a CSV file:
// dotnet run -c Release examples/your-own-table.cs -- TABLE.csv
using System.Globalization;
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

string folder = Directory.CreateTempSubdirectory("own-table").FullName, file = args.Length > 0 ? args[0] : MakeTable();

// Numbers are standardised and get a variance each, categories a softmax: the noise "table", which a CSV file starts from.
var data = DatasetCatalogue.Load(file, "");
var settings = ModelCatalogue.Defaults("vae", file).With(("network", "mlp:64"), ("latents", 4), ("epochs", 30), ("learning_rate", 2e-3),
    ("noise_maximum_change", 0.02));
using var compute = Compute.Open("auto");
using var run = TrainingRun.Open(compute, settings, data, Path.Combine(folder, "run"));
run.Train(epochDone: (train, test) =>
{
    if (train.Epoch % 10 == 0)
        Console.WriteLine($"epoch {train.Epoch}: a bound of {test.Evlb:F2} nats per row");
});
var result = run.Evaluate();
foreach (var factor in result.Indicators.Ranked)
    Console.WriteLine($"factor {factor.Factor}: {factor.Information:F2} nats about the row");

// A row as the model sees it, its most probable reconstruction, and both in the table's own units.
float[] row = data.Test.ToFloats(0, 1);
using (var tape = compute.Tape(gradients: false))
{
    float[] mean = run.Model.DecodeMean(run.Model.MeanCode(tape.Constant(new(1, 1, row.Length, 1), row))).ToArray();
    foreach (var (column, before, after) in data.Test.Columns!.All.Zip(data.Test.Columns.Decode(row), data.Test.Columns.Decode(mean)))
        Console.WriteLine($"{column.Name}: {before:G4} is reconstructed as {after:G4}");
}
// Columns that share nothing with others are left to the noise, whose variance is learned.
int used = result.Indicators.InfluentialFactors;
Console.WriteLine($"factors that carry information: {used}; in the example's table columns share one thing, age");
return args.Length > 0 || used == 1 ? 0 : 1;

// People: age decides income and plan, hours of sport are of their own.
string MakeTable()
{
    string[] plans = ["none", "basic", "full"];
    var random = new Random(1);
    double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    string path = Path.Combine(folder, "people.csv");
    File.WriteAllLines(path, Enumerable.Range(0, 4000).Select(_ =>
    {
        double age = 20 + 60 * random.NextDouble();
        string plan = plans[Math.Clamp((int)(age / 27 + 0.3 * Normal()), 0, 2)];
        return string.Create(CultureInfo.InvariantCulture, $"{age},{900 * age + 4000 * Normal()},{4 + 2 * Normal()},{plan}");
    }).Prepend("age,income,sport,plan"));
    return path;
}
