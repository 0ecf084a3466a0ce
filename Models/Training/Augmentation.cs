using VaeFromScratch.Kernels;
using VaeFromScratch.Models.Settings;

namespace VaeFromScratch.Models.Training;

/// <summary>How far images are moved at random, each range to both sides.</summary>
/// <param name="Rotation">The largest rotation, in degrees.</param>
/// <param name="Scale">The largest relative change of size.</param>
/// <param name="Shear">Columns a row.</param>
/// <param name="Shift">Pixels, in either direction.</param>
/// <param name="Mirror">Whether half of the images are mirrored left to right.</param>
/// <param name="Reflect">Whether what moves in from outside is the image's mirror image, or 0.</param>
internal sealed record Motion(
    [property: Setting("largest rotation of moved images, degrees", Least = 0)] double Rotation = 15,
    [property: Setting("largest relative change of size of moved images", Least = 0, Below = 1)] double Scale = 0.1,
    [property: Setting("largest shear of moved images, columns a row", Least = 0)] double Shear = 0.2,
    [property: Setting("largest shift of moved images, pixels", Least = 0)] double Shift = 2,
    [property: Setting("whether half of the moved images are mirrored left to right")] bool Mirror = false,
    [property: Setting("whether what moves into an image from outside is its mirror image, or 0")] bool Reflect = false);

/// <summary>Moves every image by a motion of its own, drawn uniformly and anew each time, on the device.</summary>
internal sealed class Augmentation : IDisposable
{
    private readonly Compute compute;
    private readonly Tensor ranges;
    private readonly bool reflect;

    public Augmentation(Compute compute, Motion motion)
    {
        this.compute = compute;
        reflect = motion.Reflect;
        ranges = compute.Allocate(new(WarpShape.MotionSize),
            [(float)(motion.Rotation / 360), (float)motion.Scale, (float)motion.Shear, (float)motion.Shift, (float)motion.Shift,
                motion.Mirror ? 1 : 0]);
    }

    /// <param name="x">[B, H, W, C].</param>
    /// <returns>The images moved, through which no gradient flows.</returns>
    public Tensor Apply(Tensor x, Rng rng) =>
        x.AffineWarp((2 * rng.Uniform(new(x.Shape[0], WarpShape.MotionSize)) - 1) * ranges, reflect);

    public void Dispose() => compute.Free(ranges);
}
