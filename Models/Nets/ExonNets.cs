namespace VaeFromScratch.Models.Nets;

/// <summary>
/// The convolutional networks of paper 4 for CIFAR-10 (its table 1): strided convolutions of 32, 64, 128 and 256 channels and a layer of
/// 1024 in the encoder, the way
/// back with 256, 256, 128, 64 and 32; ReLU and then batch normalisation behind each layer; a sigmoid at the end.
/// </summary>
internal static class ExonNets
{
    private const int Hidden = 1024;
    private static readonly (int Channels, int Kernel)[] EncoderLayers = [(32, 5), (64, 5), (128, 3), (256, 3)];
    private static readonly (int Channels, int Stride)[] DecoderLayers = [(256, 2), (256, 1), (128, 2), (64, 2), (32, 2)];

    /// <param name="latents">Outputs of each head.</param>
    public static GaussianEncoder Encoder(ImageShape image, int latents, Initialise init)
    {
        var (height, width) = Smallest(image);
        var layers = new List<Module>();
        int inputs = image.Channels;
        for (int i = 0; i < EncoderLayers.Length; i++)
        {
            var (channels, kernel) = EncoderLayers[i];
            layers.AddRange([new Conv2d($"encoder.conv{i + 1}", inputs, channels, kernel, stride: 2, kernel / 2, init, Activation.Relu),
                new BatchNorm($"encoder.bn{i + 1}", channels)]);
            inputs = channels;
        }
        int flat = height * width * inputs;
        layers.AddRange([new ReshapeLayer(flat),
            new Linear("encoder.fc", flat, Hidden, init, Activation.Relu, DiskLayout.LinearFromImage(height, width, inputs, Hidden)),
                new BatchNorm("encoder.bn5", Hidden)]);
        return new(new Sequential([.. layers]), Hidden, new Linear("encoder.mu", Hidden, latents, init),
            new Linear("encoder.logvar", Hidden, latents, init));
    }

    public static Module Decoder(ImageShape image, int latents, int outputChannels, Initialise init)
    {
        var (height, width) = Smallest(image);
        const int deepest = Hidden / 4;
        int flat = height * width * deepest;
        List<Module> layers =
        [
            new Linear("decoder.fc", latents, flat, init, Activation.Relu, DiskLayout.LinearToImage(latents, height, width, deepest),
                DiskLayout.Image(height, width, deepest)),
            new BatchNorm("decoder.bn0", flat, layout: DiskLayout.Image(height, width, deepest)), new ReshapeLayer(height, width, deepest),
        ];
        int inputs = deepest;
        for (int i = 0; i < DecoderLayers.Length; i++)
        {
            var (channels, stride) = DecoderLayers[i];
            layers.AddRange([new ConvTranspose2d($"decoder.deconv{i + 1}", inputs, channels, kernel: 5, stride, padding: 2, init,
                Activation.Relu, stride - 1, stride - 1), new BatchNorm($"decoder.bn{i + 1}", channels)]);
            inputs = channels;
        }
        layers.AddRange([new ConvTranspose2d("decoder.deconv6", inputs, outputChannels, kernel: 1, stride: 1, padding: 0, init),
            new SigmoidLayer()]);
        return new Sequential([.. layers]);
    }

    private static (int Height, int Width) Smallest(ImageShape image) => image.Height % 16 == 0 && image.Width % 16 == 0
        ? (image.Height / 16, image.Width / 16)
        : throw new ArgumentException($"network exon: images of {image} cannot be halved four times; use conv or mlp");
}
