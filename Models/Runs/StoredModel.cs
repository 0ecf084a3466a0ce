using VaeFromScratch.Engine.IO;
using VaeFromScratch.Models.Nets;

namespace VaeFromScratch.Models.Runs;

/// <summary>Models of stored runs, by their files alone.</summary>
public static class StoredModel
{
    /// <summary>The model of a run with its weights; its data set is not needed.</summary>
    /// <param name="image">For runs of versions that did not store the size of the images; null to take it from config.json.</param>
    /// <exception cref="DataException">The run has no weights, its files do not fit together, or the size of the images is not
    /// known.</exception>
    public static VaeModel Load(Compute compute, RunDirectory run, ImageShape? image = null)
    {
        var configuration = run.LoadConfiguration();
        if (!File.Exists(run.ModelFile))
            throw new DataException(
                $"{run.Path}: it has no model.safetensors, so its training has not ended; continue it with `vae train --resume --out "
                + $"{run.Path}`");
        var shape = ImageShape.TryParse(configuration.Image) ?? image
            ?? throw new DataException(
            $"{run.ConfigurationFile}: it does not say how large the images are, as files of older versions do not; add \"image\": "
            + $"\"28x28x1\" with their height, width and channels");
        try
        {
            var model = configuration.CreateModel(compute, shape, pixelVariance: 1, init: Initialise.Nothing());
            run.LoadModel(model);
            return model;
        }
        catch (OptionException e)
        {
            throw new DataException($"{run.ConfigurationFile}: {e.Message}; correct the file or train the model again", e);
        }
    }
}
