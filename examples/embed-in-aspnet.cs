#:sdk Microsoft.NET.Sdk.Web
#:project ../Reports/Reports.csproj
#:property PublishAot=false
// A trained VAE behind a web API: dotnet run -c Release examples/embed-in-aspnet.cs [--try]
//   curl --data-binary @image.bytes localhost:5080/encode    28 x 28 bytes -> mean and log variance of its code, JSON
//   curl -d '[0,0,0,0,0,0,0,0]' -H 'content-type: application/json' localhost:5080/decode -o image.png
using System.Net.Http.Json;
using VaeFromScratch;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Inference;
using VaeFromScratch.Models.Runs;

const int Side = 28, Latents = 8;
bool once = args.Contains("--try");
var data = DatasetCatalogue.Load("synthetic-noise", "");
using var compute = Compute.Open("auto");
var settings = ModelCatalogue.Defaults("vae", "synthetic-noise")
    .With(("network", "mlp:64"), ("latents", Latents), ("epochs", 1), ("limit", 2000));
using var run = TrainingRun.Open(compute, settings, data, args.FirstOrDefault(a => a != "--try") ?? "runs/embedded");
run.Train();

// Both may be called by many requests at once; what was trained on a GPU answers on the CPU.
using var encoder = new Encoder(run.Model);
using var decoder = new Decoder(run.Model);
string address = once ? "http://127.0.0.1:0" : "http://127.0.0.1:5080";
var app = WebApplication.Create(["--urls", address, "--Logging:LogLevel:Default", once ? "Warning" : "Information"]);
app.MapPost("/encode", async (HttpRequest request) =>
{
    var body = new MemoryStream();
    await request.Body.CopyToAsync(body);
    if (body.Length != Side * Side)
        return Results.BadRequest($"{body.Length} bytes; expected {Side * Side}, one for each pixel of {Side} x {Side}");
    float[] mu = new float[Latents], logVar = new float[Latents];
    encoder.Encode(Array.ConvertAll(body.ToArray(), b => b / 255f), mu, logVar);
    return Results.Json(new Code(mu, logVar));
});
app.MapPost("/decode", (float[] z) =>
{
    if (z.Length != Latents)
        return Results.BadRequest($"{z.Length} numbers; expected {Latents}, one for each factor");
    float[] pixels = new float[Side * Side];
    decoder.Decode(z, pixels);
    return Results.Bytes(Png.Encode(new(Side, Side, 1, Array.ConvertAll(pixels, p => (byte)Math.Clamp(255 * p, 0, 255)))), "image/png");
});
if (!once)
{
    app.Run();
    return 0;
}

// --try: one request of each kind, as a client would send it.
await app.StartAsync();
using var client = new HttpClient { BaseAddress = new(app.Urls.First()) };
var answer = await client.PostAsync("/encode", new ByteArrayContent(data.Test.Image(0).ToArray()));
var code = (await answer.Content.ReadFromJsonAsync<Code>())!;
Console.WriteLine($"mean of the code: {string.Join(", ", code.Mu.Select(v => v.ToString("F2")))}");
var picture = await (await client.PostAsJsonAsync("/decode", code.Mu)).Content.ReadAsByteArrayAsync();
var wrong = await client.PostAsync("/encode", new ByteArrayContent(new byte[3]));
var decoded = Png.Decode(picture, "answer");
await app.StopAsync();
Console.WriteLine($"decoded to {decoded.Width} x {decoded.Height}; three bytes are refused with {(int)wrong.StatusCode}");
return decoded is { Width: Side, Height: Side } && wrong.StatusCode == System.Net.HttpStatusCode.BadRequest ? 0 : 1;

sealed record Code(float[] Mu, float[] LogVar);
