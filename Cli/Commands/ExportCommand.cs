using System.CommandLine;
using System.Text.Json.Nodes;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Classification;
using VaeFromScratch.Models.Runs;

namespace VaeFromScratch.Cli.Commands;

/// <summary>
/// vae export: a run's weights in PyTorch's names and layouts, or its networks as ONNX models. Neither needs the data set.
/// </summary>
internal static class ExportCommand
{
    private const string WeightsFormat = "safetensors", OnnxFormat = "onnx";

    public static Command Create()
    {
        var command = new Command("export", "write a run's weights in PyTorch's names and layouts, or its networks as ONNX models");
        var path = new Argument<string>("RUN") { Description = "a run directory" };
        var format = new Option<string>("--format") { Description = "what to write", DefaultValueFactory = _ => WeightsFormat }
            .Among(WeightsFormat, OnnxFormat);
        var target =
            new Option<string>("--out")
            {
                Description =
            "safetensors: the file to write, - for standard output; onnx: the folder to write encoder.onnx and decoder.onnx to",
                Required = true
            };
        var activation = new Option<bool>("--activation")
        {
            Description =
            "onnx: decoder.onnx ends in the sigmoid of Bernoulli noise, where it puts out logits otherwise"
        };
        command.Arguments.Add(path);
        foreach (var option in (Option[])[format, target, activation])
            command.Options.Add(option);
        var common = new CommonOptions(command);
        command.SetAction(parsed =>
        {
            var context = common.Read(parsed);
            var (run, to, sigmoid) = (parsed.GetValue(path)!, parsed.GetValue(target)!, parsed.GetValue(activation));
            if (parsed.GetValue(format) == OnnxFormat)
                WriteModels(context, run, OutputFile.Folder("--out", to)!, sigmoid);
            else if (sigmoid)
                throw new OptionException($"--activation: it is about decoder.onnx; add --format {OnnxFormat} or leave it out");
            else
                WriteWeights(context, run, to);
            return ExitCode.Done;
        });
        return command;
    }

    private static void WriteWeights(CommandContext context, string path, string file)
    {
        var target = OutputFile.Named("--out", file, [".safetensors"], path, context.Output);
        using var run = context.OpenModel(path);
        var parameters = run.Model.Parameters.ToArray();
        target.Write(stream => WeightFile.Save(parameters, stream));
        long values = parameters.Sum(p => (long)p.Shape.Length);
        context.Output.Line($"{target.Path}: {parameters.Length} tensors, {values} values");
        context.Output.Json(new JsonObject { ["file"] = target.Path, ["tensors"] = parameters.Length, ["values"] = values });
    }

    private static void WriteModels(CommandContext context, string path, string folder, bool activation)
    {
        using var run = context.OpenModel(path);
        var metadata = OnnxFiles.Metadata(run.Directory, run.Configuration);
        var files = new List<(string Name, byte[] Bytes)>();
        try
        {
            files.Add((OnnxFiles.EncoderName, OnnxFiles.Encoder(run.Model, run.Configuration, metadata)));
            files.Add((OnnxFiles.DecoderName, OnnxFiles.Decoder(run.Model, run.Configuration, metadata, activation)));
        }
        catch (NotSupportedException e)
        {
            throw new DataException($"{path}: {e.Message}", e);
        }
        if (File.Exists(run.Directory.ClassifierFile))
        {
            using var classifier = FactorClassifier.Load(run.Compute, run.Directory.ClassifierFile);
            files.Add((OnnxFiles.ClassifierName, OnnxFiles.Classifier(classifier, run.Configuration, metadata)));
        }
        Directory.CreateDirectory(folder);
        var written = new JsonArray();
        foreach (var (name, bytes) in files)
        {
            string file = Path.Combine(folder, name);
            AtomicFile.Write(file, stream => stream.Write(bytes));
            context.Output.Line($"{file}: {bytes.Length} bytes");
            written.Add(file);
        }
        context.Output.Json(new JsonObject { ["files"] = written });
    }
}
