using VaeFromScratch.Engine;
using VaeFromScratch.Kernels;

namespace VaeFromScratch.Models.Training;

/// <summary>How far images are moved at random, each range to both sides.</summary>
/// <param name="Rotation">Degrees.</param>
/// <param name="Scale">Relative.</param>
/// <param name="Shear">Columns a row.</param>
/// <param name="Shift">Pixels, in either direction.</param>
/// <param name="Mirror">Whether half of the images are mirrored left to right.</param>
/// <param name="Reflect">Whether what moves in from outside is the image's mirror image, or 0.</param>
public sealed record Motion(double Rotation = 15, double Scale = 0.1, double Shear = 0.2, double Shift = 2, bool Mirror = false, bool Reflect = false);

/// <summary>Moves every image by a motion of its own, drawn uniformly and anew each time, on the device.</summary>
public sealed class Augmentation : IDisposable
{
    private readonly Compute compute;
    private readonly Tensor ranges;
    private readonly bool reflect;

    public Augmentation(Compute compute, Motion motion)
    {
        this.compute = compute;
        reflect = motion.Reflect;
        ranges = compute.Allocate(new(WarpShape.MotionSize),
            [(float)(motion.Rotation / 360), (float)motion.Scale, (float)motion.Shear, (float)motion.Shift, (float)motion.Shift, motion.Mirror ? 1 : 0]);
    }

    /// <param name="x">[B, H, W, C].</param>
    /// <returns>The images moved, through which no gradient flows.</returns>
    public Tensor Apply(Tensor x, Rng rng) =>
        x.AffineWarp((2 * rng.Draw(Distribution.Uniform, new(x.Shape[0], WarpShape.MotionSize)) - 1) * ranges, reflect);

    public void Dispose() => compute.Free(ranges);
}
