namespace VaeFromScratch.Models.Nets;

/// <summary>Fully connected networks of any widths.</summary>
internal static class MlpNets
{
    /// <param name="widths">Hidden widths from the image to the code; the decoder goes through its own backwards.</param>
    public static GaussianEncoder Encoder(ImageShape image, int latents, int[] widths, HiddenLayers hidden, Initialise init)
    {
        List<Module> layers = [new ReshapeLayer(image.Pixels)];
        int inputs = image.Pixels;
        for (int i = 0; i < widths.Length; inputs = widths[i++])
            layers.AddRange(hidden.After(activation => new Linear($"encoder.fc{i + 1}", inputs, widths[i], init, activation,
                i == 0 ? DiskLayout.LinearFromImage(image.Height, image.Width, image.Channels, widths[0]) : null), $"encoder.bn{i + 1}",
                    widths[i]));
        return new(new Sequential([.. layers]), inputs, new Linear("encoder.mu", inputs, latents, init),
            new Linear("encoder.logvar", inputs, latents, init));
    }

    public static Module Decoder(ImageShape image, int latents, int outputChannels, int[] widths, HiddenLayers hidden, Initialise init)
    {
        var (h, w, c) = (image.Height, image.Width, outputChannels);
        var layers = new List<Module>();
        int inputs = latents;
        for (int i = widths.Length - 1; i >= 0; inputs = widths[i--])
            layers.AddRange(hidden.After(activation => new Linear($"decoder.fc{widths.Length - i}", inputs, widths[i], init, activation),
                $"decoder.bn{widths.Length - i}", widths[i]));
        layers.Add(new Linear($"decoder.fc{widths.Length + 1}", inputs, h * w * c, init, Activation.None,
            DiskLayout.LinearToImage(inputs, h, w, c), DiskLayout.Image(h, w, c)));
        layers.Add(new ReshapeLayer(h, w, c));
        return new Sequential([.. layers]);
    }
}
