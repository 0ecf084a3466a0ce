#:project ../Models/Models.csproj
#:property PublishAot=false
// The encoder of a stored run in a program of one's own: nothing but the run directory is needed.
using System.Diagnostics;
using System.Globalization;
using VaeFromScratch.Models.Inference;

if (args is not [var run])
{
    Console.Error.WriteLine("usage: dotnet run -c Release examples/embedded-encoder.cs RUN");
    return 2;
}
using var encoder = Encoder.Open(run);
var (height, width, channels) = encoder.Image;

// A white disc in the middle of a black image, NHWC, pixels in [0, 1].
float[] image = new float[encoder.Image.Pixels], mu = new float[encoder.Latents], logVar = new float[encoder.Latents],
    probabilities = new float[encoder.Probabilities];
for (int i = 0; i < image.Length; i++)
    image[i] = Math.Pow(i / channels / width - height / 2.0, 2) + Math.Pow(i / channels % width - width / 2.0, 2) < height * width / 16.0
        ? 1 : 0;
encoder.Encode(image, mu, logVar, probabilities);

double sinceStart = (DateTime.Now - Process.GetCurrentProcess().StartTime).TotalMilliseconds, sigma = Math.Exp(0.5 * logVar[0]);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"{encoder.Latents} factors, the first {mu[0]:F3} +- {sigma:F3}; {sinceStart:F0} ms since the process started"));
return 0;
