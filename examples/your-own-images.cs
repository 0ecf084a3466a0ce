#:project ../Reports/Reports.csproj
#:property PublishAot=false
// A VAE on a folder of pictures: dotnet run -c Release examples/your-own-images.cs [FOLDER [OUT]]
// A folder that is not there is drawn first.
using VaeFromScratch;
using VaeFromScratch.Data.Images;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;
using VaeFromScratch.Reports;

string pictures = args.Length > 0 ? args[0] : "runs/pictures";
if (!Directory.Exists(pictures))
    Draw(pictures, count: 600);
string run = args.Length > 1 ? args[1] : "runs/your-own-images";

// PNG, PGM and JPEG files of any size; the middle square of each is scaled to side x side. Folders below the folder are classes.
var data = ImageFolder.Load(pictures, side: 32);
Console.WriteLine($"{data.Train.Count} pictures to train on, {data.Test.Count} to test on, {data.Train.Channels} channels");

using var compute = Compute.Open("auto");
var settings = ModelCatalogue.Defaults("beta-vae").With(("data", "folder"), ("beta", 1), ("latents", 8), ("epochs", 12), ("batch", 25));
using var training = TrainingRun.Open(compute, settings, data, run);
training.Train(epochDone: (train, _) => Console.WriteLine($"epoch {train.Epoch}: {train.Terms[0].Value:F1} nats per image"));
var result = training.Evaluate();
RunReport.Write(training.Directory, training.Model, data.Test, result);
foreach (var factor in result.Indicators.Ranked.Where(f => f.Influential))
    Console.WriteLine($"factor {factor.Factor}: {factor.Information:F2} nats");
Console.WriteLine($"pictures, traversals and samples: {training.Directory.ReportFile}");
return result.Indicators.InfluentialFactors > 0 ? 0 : 1;

// Bright squares of random place and colour on a dark ground: four factors or five.
static void Draw(string folder, int count)
{
    Directory.CreateDirectory(folder);
    var random = new Random(1);
    for (int n = 0; n < count; n++)
    {
        const int side = 48;
        var pixels = new byte[3 * side * side];
        int left = random.Next(4, 28), top = random.Next(4, 28);
        byte[] colour = [(byte)random.Next(100, 256), (byte)random.Next(100, 256), 60];
        for (int i = 0; i < side * side; i++)
            if (i % side >= left && i % side < left + 14 && i / side >= top && i / side < top + 14)
                colour.CopyTo(pixels, 3 * i);
        AtomicFile.WriteBytes(Path.Combine(folder, $"{n:D4}.png"), Png.Encode(new(side, side, 3, pixels)));
    }
}
