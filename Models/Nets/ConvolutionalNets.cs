using System.Globalization;

namespace VaeFromScratch.Models.Nets;

/// <summary>
/// The convolutional networks of papers 1 and 2: 4x4 convolutions of stride 2 and padding 1 (32, 32 channels for 28x28 images; 32, 32, 64,
/// 64 for 32x32 and
/// larger), a hidden layer of 256, and the mirror image back. ReLU, or what <see cref="HiddenLayers"/> says, everywhere but on the heads
/// and the last transposed convolution.
/// </summary>
internal static class ConvolutionalNets
{
    private const int Kernel = 4, Stride = 2, Padding = 1, Hidden = 256;

    /// <summary>Channels of Burgess et al. (2018): three convolutions, and one more for images of 64x64 and larger.</summary>
    public static int[] BurgessChannels(ImageShape image) => Math.Min(image.Height, image.Width) < 64 ? [32, 32, 32] : [32, 32, 32, 32];

    /// <param name="channels">Of each convolution, from the image to the code; the papers' where null.</param>
    /// <param name="layers">Hidden layers of 256.</param>
    public static GaussianEncoder Encoder(ImageShape image, int latents, int[]? channels, HiddenLayers hidden, Initialise init,
        int layers = 1)
    {
        var sizes = Sizes(image, channels);
        var body = new List<Module>();
        for (int i = 1; i < sizes.Count; i++)
            body.AddRange(hidden.After(activation => new Conv2d($"encoder.conv{i}", sizes[i - 1].Channels, sizes[i].Channels, Kernel,
                Stride, Padding, init, activation), $"encoder.bn{i}", sizes[i].Channels));
        var (h, w, c) = sizes[^1];
        body.Add(new ReshapeLayer(h * w * c));
        for (int i = 1; i <= layers; i++)
        {
            string number = layers == 1 ? "" : i.ToString(CultureInfo.InvariantCulture);
            body.AddRange(hidden.After(activation => i == 1
                ? new Linear($"encoder.fc{number}", h * w * c, Hidden, init, activation, DiskLayout.LinearFromImage(h, w, c, Hidden))
                : new Linear($"encoder.fc{number}", Hidden, Hidden, init, activation), $"encoder.bn_fc{number}", Hidden));
        }
        return new(new Sequential([.. body]), Hidden, new Linear("encoder.mu", Hidden, latents, init),
            new Linear("encoder.logvar", Hidden, latents, init));
    }

    /// <param name="outputChannels">Of the last layer: the image's, or more where the noise model asks for them.</param>
    /// <param name="hiddenLayers">Of 256.</param>
    public static Module Decoder(ImageShape image, int latents, int outputChannels, int[]? channels, HiddenLayers hidden, Initialise init,
        int hiddenLayers = 1)
    {
        var sizes = Sizes(image, channels);
        var (h, w, c) = sizes[^1];
        List<Module> layers =
        [
            .. Enumerable.Range(1, hiddenLayers).SelectMany(i =>
                hidden.After(activation => new Linear($"decoder.fc{i}", i == 1 ? latents : Hidden, Hidden, init, activation),
                    $"decoder.bn_fc{i}", Hidden)),
            .. hidden.After(activation => new Sequential(
                new Linear($"decoder.fc{hiddenLayers + 1}", Hidden, h * w * c, init, activation, DiskLayout.LinearToImage(Hidden, h, w, c),
                    DiskLayout.Image(h, w, c)),
                new ReshapeLayer(h, w, c)), $"decoder.bn_fc{hiddenLayers + 1}", c),
        ];
        for (int i = sizes.Count - 1; i > 0; i--)
        {
            // Where the encoder halved an odd size, the way back needs one more row or column.
            var (from, to) = (sizes[i], sizes[i - 1]);
            string name = $"decoder.deconv{sizes.Count - i}";
            Module Product(int channels, Activation activation) =>
                new ConvTranspose2d(name, from.Channels, channels, Kernel, Stride, Padding, init, activation, to.Height - 2 * from.Height,
                    to.Width - 2 * from.Width);
            layers.AddRange(i == 1 ? [Product(outputChannels, Activation.None)]
                : hidden.After(activation => Product(to.Channels, activation), $"decoder.bn{sizes.Count - i}", to.Channels));
        }
        return new Sequential([.. layers]);
    }

    /// <summary>The image and the feature maps behind each convolution.</summary>
    private static List<ImageShape> Sizes(ImageShape image, int[]? channels)
    {
        channels ??= Math.Min(image.Height, image.Width) < 32 ? [32, 32] : [32, 32, 64, 64];
        List<ImageShape> sizes = [image];
        foreach (int c in channels)
            sizes.Add(new(sizes[^1].Height / 2, sizes[^1].Width / 2, c));
        return sizes[^1] is { Height: > 0, Width: > 0 }
            ? sizes
            : throw new ArgumentException(
                $"network conv: images of {image} are too small for {channels.Length} halvings; use --network mlp");
    }
}
