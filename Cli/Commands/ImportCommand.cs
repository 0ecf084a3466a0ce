using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae import: makes a run directory of weights that were trained elsewhere.</summary>
internal static class ImportCommand
{
    private const string HeadOfMeans = "encoder.mu.bias";

    public static Command Create()
    {
        var command = new Command("import", "make a run directory of a safetensors file with PyTorch's names and layouts; evaluate, influence and the others accept it");
        var path = new Argument<string>("FILE") { Description = "the weights, safetensors" };
        var model = new Option<string>("--model") { Description = "a model of `vae list models`", Required = true };
        var outDir = new Option<string>("--out") { Description = "the run directory to make", Required = true };
        command.Arguments.Add(path);
        command.Options.Add(model);
        command.Options.Add(outDir);
        var settings = new SettingOptions(command);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            Import(context, parsed.GetValue(path)!, parsed.GetValue(model)!, settings.Read(parsed, context), OutputFile.Folder("--out", parsed.GetValue(outDir))!);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Import(CommandContext context, string file, string name, IReadOnlyList<Setting> given, string outDir)
    {
        var arrays = Safetensors.Read(file).Arrays;
        if (arrays.TryGetValue(HeadOfMeans, out var head) && head.Data.Length > 0)
            given = [new(file, "latents", head.Data.Length.ToString(CultureInfo.InvariantCulture)), .. given];
        var configuration = SettingOptions.Start(name, given) with { Version = BuildInfo.Version, Commit = BuildInfo.Commit, Started = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture) };
        configuration.Validate();
        var data = context.LoadData(configuration.Data);
        using var compute = context.OpenCompute(configuration.Precision);
        using var model = ModelCatalogue.Create(compute, configuration, CommandContext.ShapeOf(data.Train), pixelVariance: 1);
        WeightFile.Load(model.Parameters, file);
        int tensors = model.Parameters.Count();
        var run = RunDirectory.Create(outDir);
        using var held = run.Lock();
        Interruption.GoOn = $"remove {outDir} and run the same command again";
        run.SaveModel(model);
        run.SaveConfiguration(configuration with { Device = compute.Name });
        context.Output.Line($"{outDir}: {configuration.Model} with {configuration.Latents} factors for {configuration.Data}, {tensors} tensors from {file}");
        context.Output.Json(new JsonObject { ["run"] = outDir, ["model"] = configuration.Model, ["data"] = configuration.Data, ["latents"] = configuration.Latents, ["tensors"] = tensors });
    }
}
