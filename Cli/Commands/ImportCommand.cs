using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Nets;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Commands;

/// <summary>vae import: makes a run directory of weights that were trained elsewhere.</summary>
internal static class ImportCommand
{
    private const string HeadOfMeans = "encoder.mu.bias";

    public static Command Create()
    {
        var command = new Command("import",
            "make a run directory of a safetensors file with PyTorch's names and layouts; evaluate, influence and the others accept it");
        var path = new Argument<string>("FILE") { Description = "the weights, safetensors" };
        var model = new Option<string>("--model") { Description = "a model of `vae list models`", Required = true };
        var names = new Option<string?>("--names")
        {
            Description =
            "a JSON file with what the file's tensors or layers are called here, or pythae or disentangling-vae (default: guessed where "
            + "the names are not ours)",
            HelpName = "MAP",
        };
        var outDir = new Option<string>("--out") { Description = "the run directory to make", Required = true };
        command.Arguments.Add(path);
        command.Options.Add(model);
        names.CompletionSources.Add([.. WeightNames.PresetNames]);
        command.Options.Add(names);
        command.Options.Add(outDir);
        var settings = new SettingOptions(command, parsed => parsed.GetValue(model));
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            Import(context, parsed.GetValue(path)!, parsed.GetValue(names), parsed.GetValue(model)!, settings.Read(parsed, context),
                OutputFile.Folder("--out", parsed.GetValue(outDir))!);
            return ExitCode.Done;
        });
        return command;
    }

    private static void Import(CommandContext context, string file, string? names, string name, IReadOnlyList<GivenSetting> given,
        string outDir)
    {
        RefusePickles(file);
        var weights = WeightFile.Read(file);
        if (weights.Ignored is [var (first, type), ..] and var ignored)
            Output.Note($"{file}: {first} ({type})"
                + (ignored.Count > 1 ? $" and {ignored.Count - 1} more counter{(ignored.Count == 2 ? "" : "s")} of batches " : " ")
                + $"ignored: nothing is computed from it");
        var arrays = weights.Arrays;
        WeightNames? map = names is null ? null : WeightNames.Read(names, arrays);
        map?.CheckKeys([.. arrays.Keys, .. weights.Ignored.Select(i => i.Name)], file);
        if ((map ?? WeightNames.Presets.FirstOrDefault(p => p.Fits(arrays))) is { } fitting)
            arrays = Renamed(fitting, arrays, file, guessed: names is null);
        if (arrays.TryGetValue(HeadOfMeans, out var head) && head.Data.Length > 0)
            given = [new(file, "latents", head.Data.Length.ToString(CultureInfo.InvariantCulture)), .. given];
        var configuration = SettingOptions.Start(name, given) with
        {
            Version = BuildInfo.Version,
            Commit = BuildInfo.Commit,
            Started = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)
        };
        configuration.Validate();
        var image = CommandContext.FindData(configuration.Data.Name).ImageSize is var (h, w, c) ? new ImageShape(h, w, c)
            : ImageShape.Of(context.LoadData(configuration.Data.Name).Train);
        using var compute = context.OpenCompute(configuration.Training.Precision);
        using var model = configuration.CreateModel(compute, image, pixelVariance: 1);
        if (names is null && !model.Parameters.Any(p => arrays.ContainsKey(p.Name))
            && WeightNames.Guess(arrays, model.Parameters) is { } guess)
            arrays = Renamed(guess, arrays, file, guessed: true);
        var noise = WeightNames.Check(model.Parameters, arrays, file);
        if (noise.Count > 0)
            Output.Note($"{file}: {string.Join(", ", noise)} of the noise is not in it and keeps its initial value; --noise chooses "
                + $"another noise");
        WeightFile.Load(model.Parameters.Where(p => !noise.Contains(p.Name)), arrays, file);
        int tensors = model.Parameters.Count() - noise.Count;
        var run = RunDirectory.Create(outDir, canResume: false);
        using var held = run.Lock();
        Interruption.GoOn = $"remove {outDir} and run the same command again";
        run.SaveModel(model);
        run.SaveConfiguration(configuration.On(compute) with { Image = image.ToString() });
        context.Output.Line(
            $"{outDir}: {configuration.Model.Name} with {configuration.Network.Latents} "
            + $"{(configuration.Network.Latents == 1 ? "factor" : "factors")} for {configuration.Data.Name}, "
            + $"{tensors} tensors from {file}");
        context.Output.Json(new JsonObject
        {
            ["run"] = outDir,
            ["model"] = configuration.Model.Name,
            ["data"] = configuration.Data.Name,
            ["latents"] = configuration.Network.Latents,
            ["tensors"] = tensors
        });
    }

    private static IReadOnlyDictionary<string, HostArray> Renamed(
        WeightNames map, IReadOnlyDictionary<string, HostArray> arrays, string file, bool guessed)
    {
        if (guessed)
            Output.Note($"{file}: names guessed by {map.Name}: {string.Join(", ", map.Lines)}; --names MAP.json says otherwise");
        return map.Apply(arrays, file);
    }

    /// <summary>What torch.save writes is a zip file, or in old versions a pickle: code that is run to be read.</summary>
    private static void RefusePickles(string file)
    {
        byte[] start = new byte[9];
        try
        {
            using var stream = File.OpenRead(file);
            stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Reading it as safetensors says what is wrong.
            return;
        }
        // The length of a safetensors header may begin with the bytes of a pickle, but its ninth byte opens the header.
        if (start is [(byte)'P', (byte)'K', 3, 4, ..] or [0x80, >= 2 and <= 5, .., not (byte)'{'])
            throw new DataException(
                $"{file}: found a file of torch.save (.pt, .bin), expected safetensors; convert it with: python3 -c \"import torch, "
                + $"safetensors.torch as s; "
                + $"s.save_file({{k: v.contiguous() for k, v in torch.load('{file}', map_location='cpu', weights_only=True).items()}}, "
                    + $"'weights.safetensors')\"");
    }
}
