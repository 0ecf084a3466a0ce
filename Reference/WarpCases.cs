using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>Moving images.</summary>
public static class WarpCases
{
    public static IEnumerable<KernelCase> All() =>
        from shape in new WarpShape[] { new(1, 1, 1, 1, false), new(3, 28, 28, 1, false), new(5, 9, 14, 3, false), new(4, 8, 11, 2, true),
            new(2, 1, 6, 1, true) }
        from warp in (KernelCase[])[Warp(shape), WholeShift(shape)]
        select warp;

    internal static KernelCase Warp(WarpShape shape) => new("AffineWarp", $"{shape}", c =>
    {
        float[] x = c.Uniform(shape.Size), motion = c.Uniform(shape.Batch * WarpShape.MotionSize, -0.3, 0.3);
        for (int i = 0; i < motion.Length; i += WarpShape.MotionSize)
            (motion[i + 3], motion[i + 4]) = (10 * motion[i + 3], 10 * motion[i + 4]);
        Slice<float> from = c.Upload(x), m = c.Upload(motion), y = c.Output(shape.Size);
        c.Run(b => b.AffineWarp(shape, from, m, y));
        // A place is good to a few ulp of its coordinate, and neighbours differ by up to 2.
        c.Expect(y, Reference(shape, x, motion), 0, 3e-5);
    });

    /// <summary>Shifts by whole pixels move values without a change.</summary>
    internal static KernelCase WholeShift(WarpShape shape) => new("AffineWarp", $"{shape}, whole shifts", c =>
    {
        float[] x = c.Uniform(shape.Size);
        var motion = new float[shape.Batch * WarpShape.MotionSize];
        for (int n = 0; n < shape.Batch; n++)
            (motion[n * WarpShape.MotionSize + 3], motion[n * WarpShape.MotionSize + 4], motion[n * WarpShape.MotionSize + 5]) =
                (n % 5 - 2, n % 3 - 1, n % 2 == 0 ? -1 : 1);
        Slice<float> from = c.Upload(x), m = c.Upload(motion), y = c.Output(shape.Size);
        c.Run(b => b.AffineWarp(shape, from, m, y));
        c.Expect(y, Reference(shape, x, motion), 0, 0);
    });

    /// <summary>p' = R S (1 + scale) M p + shift about the centre, M the mirror, S the shear: every p' looks up its p.</summary>
    private static double[] Reference(WarpShape s, float[] x, float[] motion)
    {
        var y = new double[s.Size];
        for (int at = 0; at < y.Length; at++)
        {
            int c = at % s.Channels, column = at / s.Channels % s.Width, row = at / (s.Channels * s.Width) % s.Height,
                image = at / (s.Channels * s.Width * s.Height);
            var m = motion.AsSpan(image * WarpShape.MotionSize, WarpShape.MotionSize);
            double angle = 2 * Math.PI * m[0], scale = 1.0 + m[1], shear = m[2], mirror = m[5] > 0 ? -1 : 1;
            // The matrix of the motion, inverted by its determinant.
            double a = scale * mirror * Math.Cos(angle), b = scale * (shear * Math.Cos(angle) - Math.Sin(angle)),
                d = scale * mirror * Math.Sin(angle), e = scale * (shear * Math.Sin(angle) + Math.Cos(angle));
            double px = column - (s.Width - 1) / 2.0 - m[3], py = row - (s.Height - 1) / 2.0 - m[4], determinant = a * e - b * d;
            double fromX = (e * px - b * py) / determinant + (s.Width - 1) / 2.0,
                fromY = (a * py - d * px) / determinant + (s.Height - 1) / 2.0;
            // Whole shifts are whole in double precision, too.
            (fromX, fromY) = (Math.Round(fromX, 9), Math.Round(fromY, 9));
            double left = Math.Floor(fromX), top = Math.Floor(fromY);
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++)
                    y[at] += (i == 1 ? fromY - top : 1 - fromY + top) * (j == 1 ? fromX - left : 1 - fromX + left)
                        * Pixel((int)top + i, (int)left + j);

            double Pixel(int i, int j)
            {
                (i, j) = (Place(i, s.Height), Place(j, s.Width));
                return i < 0 || j < 0 ? 0 : x[((image * s.Height + i) * s.Width + j) * s.Channels + c];
            }

            int Place(int i, int size)
            {
                if (s.Reflect && size > 1)
                    while (i < 0 || i >= size)
                        i = i < 0 ? -i : 2 * size - 2 - i;
                return i < 0 || i >= size ? -1 : i;
            }
        }
        return y;
    }
}
