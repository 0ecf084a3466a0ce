namespace VaeFromScratch.Kernels.Cuda;

public sealed unsafe partial class CudaBackend
{
    private const int LayoutOfWeightGradients = 2;

    private static readonly TileKernels[][] MatMulKernels = EachPrecision(
        p => [new("matmul", "matmul_nn", p, true, false), new("matmul", "matmul_nt", p, true, true), new("matmul", "matmul_tn", p, false, false), new("matmul", "matmul_tt", p, false, true)]);

    public void MatMul(MatMulShape shape, Operand a, Operand b, Operand c, Slice<float> bias, Activation activation, Operand reluMask)
    {
        var (m, n, k) = (shape.M, shape.N, shape.K);
        int lineA = shape.TransposeA ? m : k, lineB = shape.TransposeB ? k : n, layout = (shape.TransposeA ? 2 : 0) + (shape.TransposeB ? 1 : 0);
        var wide = new Wide(lineA % 4 == 0 && lineB % 4 == 0 && IsAligned(a) && IsAligned(b), n % 4 == 0 && IsAligned(c) && IsAligned(bias) && IsAligned(reluMask));
        var epilogue = EpilogueOf(bias, activation, shape.Accumulate, reluMask);
        var product = Product(layout, new(m, n, k, new(lineA), new(lineB), new(n), new(n)), wide, a, b, c, epilogue);
        if (product.IsWeightGradient)
            PutOff(product);
        else
            LaunchOrLink(product);
    }

    public void LinearPair(int rows, int inputs, int outputs, Operand x, SlicePair weights, SlicePair biases, SlicePair y)
    {
        var wide = new Wide(inputs % 4 == 0 && outputs % 4 == 0 && IsAligned(x) && IsAligned(weights), outputs % 4 == 0 && IsAligned(y) && IsAligned(biases));
        var shape = new ProductShape(rows, 2 * outputs, inputs, new(inputs), new(outputs, weights), new(outputs, y), new(outputs, biases));
        LaunchOrLink(Product(layout: 0, shape, wide, x, weights.First, y.First, EpilogueOf(biases.First, Activation.None, accumulate: false, default)));
    }

    public void LinearPairBackwardData(int rows, int inputs, int outputs, SlicePair g, SlicePair weights, Operand dx, bool accumulate, Operand reluMask)
    {
        var wide = new Wide(outputs % 4 == 0 && IsAligned(g) && IsAligned(weights), inputs % 4 == 0 && IsAligned(dx) && IsAligned(reluMask));
        var shape = new ProductShape(rows, inputs, 2 * outputs, new(outputs, g), new(outputs, weights), new(inputs), new(inputs));
        LaunchOrLink(Product(layout: 1, shape, wide, g.First, weights.First, dx, EpilogueOf(default, Activation.None, accumulate, reluMask)));
    }

    public void LinearPairBackwardWeight(int rows, int inputs, int outputs, Operand x, SlicePair g, SlicePair dweights, SlicePair dbiases, bool accumulate)
    {
        var wide = new Wide(inputs % 4 == 0 && outputs % 4 == 0 && IsAligned(x) && IsAligned(g), outputs % 4 == 0 && IsAligned(dweights));
        var shape = new ProductShape(inputs, 2 * outputs, rows, new(inputs), new(outputs, g), new(outputs, dweights), default);
        var sums = ColumnSumsOf(rows, 2 * outputs, g.First, new(outputs, g), dbiases.First, new(outputs, dbiases), accumulate);
        SettleWeightGradient();
        LaunchBesideChain(Product(LayoutOfWeightGradients, shape, wide, x, g.First, dweights.First, EpilogueOf(default, Activation.None, accumulate, default)), sums);
    }

    private TileProduct Product(int layout, ProductShape shape, Wide wide, Operand a, Operand b, Operand c, Epilogue epilogue) =>
        Stored(new(MatMulKernels[(int)Precision][layout], shape, wide, a, b, c, epilogue) { IsWeightGradient = layout == LayoutOfWeightGradients });
}
