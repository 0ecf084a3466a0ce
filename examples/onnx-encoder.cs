#:package Microsoft.ML.OnnxRuntime
#:property PublishAot=false
// An encoder that `vae export RUN --format onnx --out DIR` wrote, in a program that knows nothing of this library.
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

if (args is not [var file])
{
    Console.Error.WriteLine("usage: dotnet run -c Release examples/onnx-encoder.cs DIR/encoder.onnx");
    return 2;
}
using var encoder = new InferenceSession(file);
int[] shape = encoder.InputMetadata["x"].Dimensions;
int channels = shape[1], height = shape[2], width = shape[3];

// A white disc in the middle of a black image, NCHW, pixels in [0, 1].
var image = new DenseTensor<float>([1, channels, height, width]);
for (int c = 0; c < channels; c++)
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            image[0, c, y, x] = Math.Pow(y - height / 2.0, 2) + Math.Pow(x - width / 2.0, 2) < height * width / 16.0 ? 1 : 0;

using var outputs = encoder.Run([NamedOnnxValue.CreateFromTensor("x", image)]);
float[] mu = [.. outputs.First(o => o.Name == "mu").AsEnumerable<float>()],
    logVar = [.. outputs.First(o => o.Name == "logvar").AsEnumerable<float>()];

// The factors in the order of what they say about the images, which the file brings along once `vae influence` or `vae train` has ranked
// them.
var metadata = encoder.ModelMetadata.CustomMetadataMap;
var ranked = metadata.TryGetValue("factors", out string? text)
    ? JsonNode.Parse(text)!.AsArray().Select(f => ((int)f!["factor"]!, (double?)f["nats"]))
    : mu.Select((_, h) => (h, (double?)null));
Console.WriteLine($"{metadata["model"]} of {metadata["data"]}: {mu.Length} factors");
foreach (var (factor, nats) in ranked.Take(5))
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"factor {factor}: mean {mu[factor]:F3}, deviation {Math.Exp(0.5 * logVar[factor]):F3}{(nats is { } n ? $", {n:F2} nats" : "")}"));
return 0;
