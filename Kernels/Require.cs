using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels;

/// <summary>
/// What operations require of their operands, for every backend: a wrong length is the same exception everywhere, before anything is read
/// or written. What the operands hold is checked only where it can be read without waiting for a device, by the CPU's backend.
/// </summary>
/// <remarks>Each returns how many entries the operation has, or rows where it works row by row.</remarks>
internal static class Require
{
    /// <summary>Axes that <see cref="IBackend.Permute"/> takes at most.</summary>
    public const int MostAxes = 5;

    // ---- memory

    public static int CopyBlock(int rows, int columns, Slice<float> from, int fromStride, Slice<float> to, int toStride)
    {
        That(rows >= 0 && columns >= 0 && (rows <= 1 || (fromStride >= columns && toStride >= columns))
            && Fits(from, rows, columns, fromStride) && Fits(to, rows, columns, toStride),
            "copy_block",
                $"a block [{rows}, {columns}] with row strides {fromStride} and {toStride} does not fit buffers of {from.Length} and "
                + $"{to.Length}");
        return rows * columns;
    }

    private static bool Fits(Slice<float> slice, int rows, int columns, int stride) =>
        rows == 0 || (long)(rows - 1) * stride + columns <= slice.Length;

    public static int Permute(Slice<float> x, ReadOnlySpan<int> sizes, ReadOnlySpan<int> order, Slice<float> y)
    {
        int n = sizes.Length, seen = 0;
        That(n is > 0 and <= MostAxes && order.Length == n, "permute",
            $"{n} sizes and an order of {order.Length}; one to {MostAxes} axes are supported");
        long elements = 1;
        for (int d = 0; d < n; d++)
        {
            That((uint)order[d] < (uint)n && (seen & (1 << order[d])) == 0, "permute",
                $"the order must name each of {n} axes once; entry {d} is {order[d]}");
            seen |= 1 << order[d];
            elements *= sizes[d];
        }
        That(elements == x.Length && elements == y.Length, "permute",
            $"the sizes give {elements} elements, x has {x.Length}, y {y.Length}");
        return x.Length;
    }

    /// <summary>Rows by their indices: so many of these as y has rows, from a start on where there is one, or all.</summary>
    public static int GatherFrom(string operation, int indices, int width, Slice<float> y, Slice<int> first)
    {
        int rows = first.IsAbsent ? indices : y.Length / Math.Max(1, width);
        That(rows <= indices && first.Length <= 1, operation,
            $"{rows} rows were asked of {indices} indices, from a start on that is {first.Length} numbers");
        That(width > 0 && y.Length == (long)rows * width, operation, $"{rows} rows of {width} do not fill {y.Length} elements");
        return y.Length;
    }

    // ---- elementwise

    public static int Unary<K>(Slice<float> x, Slice<float> y) where K : struct, IUnaryKernel
    {
        That(x.Length == y.Length, K.Name, $"x has {x.Length} elements, y {y.Length}");
        return x.Length;
    }

    public static int UnaryGradient<K>(Slice<float> g, Slice<float> x, Slice<float> y, Slice<float> dx) where K : struct, IUnaryKernel
    {
        That(dx.Length == g.Length && (x.IsAbsent || x.Length == g.Length) && (y.IsAbsent || y.Length == g.Length), K.Name,
            $"g has {g.Length} elements, x {x.Length}, y {y.Length}, dx {dx.Length}");
        return g.Length;
    }

    public static int Binary<K>(Slice<float> a, Slice<float> b, Slice<float> y) where K : struct, IBinaryKernel =>
        Broadcast(K.Name, a.Length, b.Length, y.Length);

    /// <summary>An absent operand, which this gradient does not read, is taken to be as long as g.</summary>
    public static int BinaryGradient<K>(bool ofA, Slice<float> g, Slice<float> a, Slice<float> b, Slice<float> y, Slice<float> d)
        where K : struct, IBinaryKernel
    {
        int n = g.Length, own = d.Length, operand = ofA ? a.Length : b.Length, ys = y.IsAbsent ? n : y.Length;
        Broadcast(K.Name, a.IsAbsent ? n : a.Length, b.IsAbsent ? n : b.Length, n);
        That(ys == n && (own == n || (own > 0 && n % own == 0)) && (operand == 0 || operand == own), K.Name,
            $"g has {n} elements, y {ys}, the operand {operand}, its gradient {own}");
        return n;
    }

    private static int Broadcast(string operation, int a, int b, int y)
    {
        int longer = Math.Max(a, b), shorter = Math.Min(a, b);
        That(longer == y && (longer == 0 || (shorter > 0 && longer % shorter == 0)), operation,
            $"operands of {a} and {b} elements do not give {y}; the shorter one's length must divide the longer's, which is the output's");
        return y;
    }

    public static int ReluMask(Slice<float> y, Slice<float> g) => Length("relu mask", "g", g.Length, y.Length, y.Length);

    // ---- reductions and rows

    public static int Reduction(string operation, Slice<float> x, int outer, int n, int inner, Slice<float> y)
    {
        That(x.Length == outer * n * inner && y.Length == outer * inner, operation,
            $"[{outer}, {n}, {inner}] needs {(long)outer * n * inner} elements and {(long)outer * inner} reduced ones, got {x.Length} "
                + $"and {y.Length}");
        return outer;
    }

    public static int Rows(string operation, int rows, int n, Slice<float> x, Slice<float> y)
    {
        That(x.Length == (long)rows * n && y.Length == x.Length, operation,
            $"[{rows}, {n}] needs {(long)rows * n} elements, got {x.Length} and {y.Length}");
        return rows;
    }

    public static int Rows(string operation, int rows, int n, Slice<float> x, Slice<float> y, Slice<float> z)
    {
        That(x.Length == (long)rows * n && y.Length == x.Length && z.Length == x.Length, operation,
            $"[{rows}, {n}] needs {(long)rows * n} elements, got {x.Length}, {y.Length} and {z.Length}");
        return rows;
    }

    public static int Classes(int rows, int n, Slice<float> logits, Slice<int> classes, Slice<float> perRow)
    {
        That(logits.Length == (long)rows * n && classes.Length == rows && perRow.Length == rows, "softmax_cross_entropy",
            $"[{rows}, {n}] needs {(long)rows * n} logits and {rows} classes, got {logits.Length} and {classes.Length}, and "
                + $"{perRow.Length} numbers per row");
        return rows;
    }

    public static int Temperature(Slice<float> temperature)
    {
        That(temperature.Length == 1, "gumbel_softmax", $"the temperature is one number, got {temperature.Length}");
        return 1;
    }

    // ---- products, convolutions and their kin

    public static int MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias, Slice<float> reluMask)
    {
        var (m, n, k) = (shape.M, shape.N, shape.K);
        Length("matmul", "a", a.Length, (long)m * k, shape);
        Length("matmul", "b", b.Length, (long)k * n, shape);
        if (!bias.IsAbsent)
            Length("matmul", "bias", bias.Length, n, shape);
        if (!reluMask.IsAbsent)
            Length("matmul", "relu mask", reluMask.Length, (long)m * n, shape);
        return Length("matmul", "c", c.Length, (long)m * n, shape);
    }

    public static int Conv2dForward(ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y, Slice<float> bias,
        Slice<float> reluMask)
    {
        Conv("conv2d", shape, x, w, y);
        return Epilogue("conv2d", shape, shape.OutChannels, shape.OutSize, bias, reluMask);
    }

    public static int Conv2dBackwardData(ConvShape shape, Slice<float> dy, Slice<float> w, Slice<float> dx, Slice<float> bias,
        Slice<float> reluMask)
    {
        Conv("conv2d backward data", shape, dx, w, dy);
        return Epilogue("conv2d backward data", shape, shape.InChannels, shape.InSize, bias, reluMask);
    }

    public static int Conv2dBackwardWeight(ConvShape shape, Slice<float> x, Slice<float> dy, Slice<float> dw)
    {
        Conv("conv2d backward weight", shape, x, dw, dy);
        return shape.WeightSize;
    }

    private static void Conv(string operation, ConvShape shape, Slice<float> x, Slice<float> w, Slice<float> y)
    {
        That(shape is { Stride: >= 1, Padding: >= 0, KernelHeight: >= 1, KernelWidth: >= 1 }, operation,
            $"{shape} is not a convolution; stride and kernel must be at least 1, padding at least 0");
        That(shape.Height + 2 * shape.Padding >= shape.KernelHeight && shape.Width + 2 * shape.Padding >= shape.KernelWidth, operation,
            $"{shape} has no output; the padded image must be at least as large as the kernel");
        Length(operation, "x", x.Length, shape.InSize, shape);
        Length(operation, "w", w.Length, shape.WeightSize, shape);
        Length(operation, "y", y.Length, shape.OutSize, shape);
    }

    private static int Epilogue(string operation, ConvShape shape, int channels, int size, Slice<float> bias, Slice<float> reluMask)
    {
        if (!bias.IsAbsent)
            Length(operation, "bias", bias.Length, channels, shape);
        return reluMask.IsAbsent ? size : Length(operation, "relu mask", reluMask.Length, size, shape);
    }

    public static int MaxPool(PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax)
    {
        Pool("max pool", shape, x, y, argmax);
        return y.Length;
    }

    public static int MaxPoolGradient(PoolShape shape, Slice<float> g, Slice<int> argmax, Slice<float> dx)
    {
        Pool("max pool gradient", shape, dx, g, argmax);
        return dx.Length;
    }

    private static void Pool(string operation, PoolShape shape, Slice<float> x, Slice<float> y, Slice<int> argmax)
    {
        That(shape is { Kernel: >= 1, Stride: >= 1 } && shape.Height >= shape.Kernel && shape.Width >= shape.Kernel, operation,
            $"{shape} has no window; kernel and stride must be at least 1, the image at least as large as the kernel");
        Length(operation, "x", x.Length, shape.InSize, shape);
        Length(operation, "y", y.Length, shape.OutSize, shape);
        Length(operation, "argmax", argmax.Length, shape.OutSize, shape);
    }

    public static int AffineWarp(WarpShape shape, Slice<float> x, Slice<float> motion, Slice<float> y)
    {
        That(x.Length == shape.Size && y.Length == shape.Size && motion.Length == shape.Batch * WarpShape.MotionSize, "affine_warp",
            $"{shape} needs images of {shape.Size} and a motion of {shape.Batch * WarpShape.MotionSize} numbers, got {x.Length}, "
                + $"{y.Length} and {motion.Length}");
        return shape.Size;
    }

    // ---- layers

    public static int BatchNormForward(int rows, int channels, Slice<float> x, BatchNormParameters parameters,
        BatchNormStatistics statistics, Slice<float> y)
    {
        var (gamma, beta, runningMean, runningVariance, _, _) = parameters;
        BatchNorm("batch_norm", rows, channels, x, y, [gamma.Length, beta.Length, runningMean.Length, runningVariance.Length,
            statistics.Mean.Length, statistics.InverseDeviation.Length]);
        That(rows > 1, "batch_norm", $"{rows} row: a batch's variance needs two values per channel");
        return x.Length;
    }

    public static int BatchNormInference(int rows, int channels, Slice<float> x, BatchNormParameters parameters, Slice<float> y)
    {
        var (gamma, beta, runningMean, runningVariance, _, _) = parameters;
        return BatchNorm("batch_norm_inference", rows, channels, x, y,
            [gamma.Length, beta.Length, runningMean.Length, runningVariance.Length]);
    }

    public static int BatchNormGradient(int rows, int channels, Slice<float> g, Slice<float> x, Slice<float> gamma,
        BatchNormStatistics statistics, BatchNormGradients gradients)
    {
        var (dx, _, dgamma, dbeta, _) = gradients;
        That(g.Length == x.Length, "batch_norm gradient", $"g has {g.Length} elements, x {x.Length}");
        return BatchNorm("batch_norm gradient", rows, channels, x, dx,
            [gamma.Length, statistics.Mean.Length, statistics.InverseDeviation.Length, dgamma.Length, dbeta.Length]);
    }

    private static int BatchNorm(string operation, int rows, int channels, Slice<float> x, Slice<float> y, ReadOnlySpan<int> perChannel)
    {
        bool holds = x.Length == (long)rows * channels && y.Length == x.Length;
        foreach (int length in perChannel)
            That(holds && length == channels, operation,
                $"[{rows}, {channels}] needs {(long)rows * channels} elements and {channels} per channel, got {x.Length} and {y.Length}; "
                    + $"per channel {length}");
        return x.Length;
    }

    public static int LstmCell(string operation, int rows, int h, LstmCellValues values, Slice<float> hidden)
    {
        long n = (long)rows * h;
        var (gates, before, c) = values;
        That(gates.Length == 4 * n && (before.IsAbsent || before.Length == n) && c.Length == n && hidden.Length == n, operation,
            $"[{rows}, {h}] needs {4 * n} gates and {n} states, got {gates.Length} and {before.Length}, {c.Length}, {hidden.Length}");
        return c.Length;
    }

    public static int LstmCellGradient(int rows, int h, LstmCellValues values, Slice<float> ghidden, Slice<float> gc, Slice<float> dgates,
        Slice<float> dbefore)
    {
        LstmCell("lstm_cell gradient", rows, h, values, ghidden);
        var (gates, before, c) = values;
        That((gc.IsAbsent || gc.Length == c.Length) && dgates.Length == gates.Length && dbefore.Length == before.Length,
            "lstm_cell gradient",
            $"[{rows}, {h}] got gc {gc.Length}, dgates {dgates.Length}, before {before.Length}, dbefore {dbefore.Length} elements");
        return c.Length;
    }

    // ---- draws and objectives

    public static int Draw(string operation, RandomDraw draw, int length)
    {
        That(draw.State.Length == 4, operation,
            $"the state of a draw is four words (seed low, seed high, step, stream), got {draw.State.Length}");
        return length;
    }

    public static int Reparameterise(int rows, int h, Slice<float> mu, Slice<float> logVar, RandomDraw draw, Slice<float> epsilon,
        Slice<float> z, Slice<float> kl)
    {
        int n = rows * h;
        That(mu.Length == n && logVar.Length == n && epsilon.Length == n && z.Length == n && kl.Length == rows, "reparameterise",
            $"[{rows}, {h}] needs {n} elements, got mu {mu.Length}, logVar {logVar.Length}, epsilon {epsilon.Length}, z {z.Length}; kl "
                + $"{kl.Length}");
        return Draw("reparameterise", draw, rows);
    }

    public static int ReparameteriseGradient(int rows, int h, ReparameterisedSample sample, Slice<float> gz, Slice<float> gkl,
        Slice<float> dmu, Slice<float> dlogVar)
    {
        var (mu, logVar, epsilon) = sample;
        int n = rows * h;
        That((gz.IsAbsent || gz.Length == n) && (gkl.IsAbsent || gkl.Length == rows) && mu.Length == n && logVar.Length == n
            && epsilon.Length == n && dmu.Length == n && dlogVar.Length == n,
            "reparameterise gradient",
                $"[{rows}, {h}] needs {n} elements, got gz {gz.Length}, mu {mu.Length}, logVar {logVar.Length}, epsilon "
                + $"{epsilon.Length}, dmu {dmu.Length}, dlogVar {dlogVar.Length}; gkl {gkl.Length}");
        return n;
    }

    public static int GaussianNll(int rows, int d, Slice<float> x, Slice<float> mean, Slice<float> variance, Slice<float> nll,
        Slice<float> squaredError)
    {
        int n = rows * d;
        That(x.Length == n && mean.Length == n && variance.Length == 1 && nll.Length == rows && squaredError.Length == rows,
            "gaussian_nll",
            $"[{rows}, {d}] needs {n} elements, got x {x.Length}, mean {mean.Length}; variance {variance.Length}, nll {nll.Length}, "
                + $"squaredError {squaredError.Length}");
        return rows;
    }

    public static int GaussianNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> mean, Slice<float> variance,
        Slice<float> dmean)
    {
        int n = rows * d;
        That(g.Length == rows && x.Length == n && mean.Length == n && variance.Length == 1 && dmean.Length == n, "gaussian_nll gradient",
            $"[{rows}, {d}] needs {n} elements, got x {x.Length}, mean {mean.Length}, dmean {dmean.Length}; variance {variance.Length}, "
                + $"g {g.Length}");
        return n;
    }

    public static int BernoulliNll(int rows, int d, Slice<float> x, Slice<float> logits, Slice<float> nll)
    {
        int n = rows * d;
        That(x.Length == n && logits.Length == n && nll.Length == rows, "bernoulli_nll",
            $"[{rows}, {d}] needs {n} elements, got x {x.Length}, logits {logits.Length}; nll {nll.Length}");
        return rows;
    }

    public static int BernoulliNllGradient(int rows, int d, Slice<float> g, Slice<float> x, Slice<float> logits, Slice<float> dlogits)
    {
        int n = rows * d;
        That(g.Length == rows && x.Length == n && logits.Length == n && dlogits.Length == n, "bernoulli_nll gradient",
            $"[{rows}, {d}] needs {n} elements, got x {x.Length}, logits {logits.Length}, dlogits {dlogits.Length}; g {g.Length}");
        return n;
    }

    public static int UpdateVariance(Slice<float> squaredError, double count, Slice<float> variance)
    {
        That(variance.Length == 1 && count > 0, "update_variance",
            $"the variance is one number, got {variance.Length}; the count of residuals is {count}");
        return squaredError.Length;
    }

    public static int Mixture(string operation, MixtureOperands mixture)
    {
        var (rows, components, h, z, mu, logVar, _, joint, marginal, _, pairBias) = mixture;
        That(components > 0 && h > 0 && z.Length == (long)rows * h && mu.Length == (long)components * h && logVar.Length == mu.Length
            && (pairBias.IsAbsent || pairBias.Length == (long)rows * components)
            && (joint.IsAbsent || joint.Length == rows) && (marginal.IsAbsent || marginal.Length == z.Length), operation,
            $"{rows} rows, {components} components and {h} latents do not fit z {z.Length}, mu {mu.Length}, logVar {logVar.Length}, "
                + $"pairBias {pairBias.Length}, joint {joint.Length}, marginal {marginal.Length}");
        return rows;
    }

    public static int MixtureGradient(MixtureOperands mixture, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz,
        Slice<float> dmu, Slice<float> dlogVar, Slice<float> dpairBias)
    {
        Mixture("mixture_log_density gradient", mixture);
        var (rows, components, h, z, mu, _, _, joint, marginal, _, _) = mixture;
        That(dz.Length == z.Length && dmu.Length == mu.Length && dlogVar.Length == mu.Length
            && (gJoint.IsAbsent || (gJoint.Length == rows && !joint.IsAbsent))
            && (gMarginal.IsAbsent || (gMarginal.Length == z.Length && !marginal.IsAbsent))
                && (dpairBias.IsAbsent || dpairBias.Length == (long)rows * components), "mixture_log_density gradient",
            $"gradients of {dz.Length}, {dmu.Length}, {dlogVar.Length}, {dpairBias.Length}, gJoint {gJoint.Length}, gMarginal "
                + $"{gMarginal.Length} do not fit {rows} rows, {components} components, {h} latents; a gradient needs its own output too");
        return rows;
    }

    public static int EncodingMoments(int rows, int h, Slice<float> mu, Slice<float> logVar, Slice<float> sums, long points,
        Slice<float> indicators)
    {
        const int Moments = 4, Indicators = 6;
        That(mu.Length == (long)rows * h && logVar.Length == mu.Length && sums.Length == Moments * h * 2, "encoding_moments",
            $"[{rows}, {h}] needs {(long)rows * h} elements and sums of {Moments * h * 2}, got mu {mu.Length}, logVar {logVar.Length}, "
                + $"sums {sums.Length}");
        That(indicators.IsAbsent || (indicators.Length == Indicators * h && points > 0), "encoding_moments",
            $"indicators of {h} factors need {Indicators * h} elements and at least one point, got {indicators.Length} and {points}");
        return rows;
    }

    // ---- optimisers

    public static int Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, Slice<float> hyper)
    {
        int n = parameters.Length;
        That(gradients.Length == n && m.Length == n && v.Length == n && hyper.Length == 3, "adam",
            $"{n} parameters, {gradients.Length} gradients, moments of {m.Length} and {v.Length}, {hyper.Length} hyperparameters (3 "
                + $"expected)");
        return n;
    }

    /// <param name="name">What the step keeps for each parameter.</param>
    public static int Step(string operation, string name, Slice<float> parameters, Slice<float> gradients, Slice<float> kept,
        Slice<float> hyper)
    {
        int n = parameters.Length;
        That(gradients.Length == n && kept.Length == n && hyper.Length >= 1, operation,
            $"{n} parameters, {gradients.Length} gradients, a {name} of {kept.Length}, {hyper.Length} hyperparameters");
        return n;
    }

    /// <summary>
    /// Throws what is wrong with a call. The message is put together only then: a check in a training step costs a comparison and allocates
    /// nothing.
    /// </summary>
    public static void That(bool holds, string operation, [InterpolatedStringHandlerArgument(nameof(holds))] ref Complaint what)
    {
        if (!holds)
            throw new ArgumentException($"{operation}: {what.ToString()}");
    }

    private static int Length<S>(string operation, string operand, int length, long expected, S shape)
    {
        That(length == expected, operation, $"{operand} has {length} elements, {shape} needs {expected}; check the shape that was passed");
        return length;
    }
}
