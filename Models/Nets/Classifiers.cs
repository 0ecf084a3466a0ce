namespace VaeFromScratch.Models.Nets;

/// <summary>
/// Networks of their own that say of which class an image is: from [B, H, W, C] to logits [B, K]. The weight names begin with "classifier".
/// </summary>
internal static class Classifiers
{
    private const int PooledHidden = 128;

    /// <summary>3x3 convolutions of stride 2, each with batch normalisation and ReLU, and one layer to the classes.</summary>
    public static Module Strided(ImageShape image, int classes, int[] channels, Initialise init)
    {
        var layers = new List<Module>();
        var (h, w, inputs) = (image.Height, image.Width, image.Channels);
        for (int i = 0; i < channels.Length; i++)
        {
            layers.AddRange([new Conv2d($"classifier.conv{i + 1}", inputs, channels[i], kernel: 3, stride: 2, padding: 1, init),
                new BatchNorm($"classifier.bn{i + 1}", channels[i], Activation.Relu)]);
            (h, w, inputs) = ((h + 1) / 2, (w + 1) / 2, channels[i]);
        }
        return new Sequential([.. layers, .. Flat(h, w, inputs), new Linear("classifier.fc", h * w * inputs, classes, init, Activation.None,
            DiskLayout.LinearFromImage(h, w, inputs, classes))]);
    }

    /// <summary>
    /// Paper 4, table 2: pairs of 3x3 convolutions with ReLU, each pair followed by 2x2 maximum pooling, a layer of 128, and one to the
    /// classes.
    /// </summary>
    public static Module Pooled(ImageShape image, int classes, int[] channels, Initialise init)
    {
        var layers = new List<Module>();
        var (h, w, inputs) = (image.Height, image.Width, image.Channels);
        for (int i = 0; i < channels.Length; i++)
        {
            foreach (int half in (int[])[1, 2])
            {
                layers.Add(new Conv2d($"classifier.conv{2 * i + half}", inputs, channels[i], kernel: 3, stride: 1, padding: 1, init,
                    Activation.Relu));
                inputs = channels[i];
            }
            layers.Add(new MaxPool2d(2, 2));
            (h, w) = (h / 2, w / 2);
        }
        if (h == 0 || w == 0)
            throw new ArgumentException(
                $"classifier pool: images of {image} cannot be halved {channels.Length} times; name fewer channels");
        return new Sequential([.. layers, .. Flat(h, w, inputs),
            new Linear("classifier.fc1", h * w * inputs, PooledHidden, init, Activation.Relu,
                DiskLayout.LinearFromImage(h, w, inputs, PooledHidden)), new Linear("classifier.fc2", PooledHidden, classes, init)]);
    }

    private static Module[] Flat(int height, int width, int channels) => [new ReshapeLayer(height * width * channels)];
}
