using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using VaeFromScratch.Kernels.Cpu.Products;

namespace VaeFromScratch.Kernels.Cpu.Inference;

/// <summary>
/// act(x w + b) with w packed once into panels that lie one behind the other. Rows of x are read in place; every sum stays in registers
/// from the first k to the last.
/// </summary>
internal sealed unsafe class LinearLayer : InferenceLayer
{
    private readonly int pixels, inputs, outputs, panels;
    private readonly bool relu;
    private readonly AlignedFloats packed, initial;

    /// <param name="pixels">Rows of the product for each row of the value: 1, or the pixels that a 1x1 convolution runs over.</param>
    /// <param name="weights">[in, out].</param>
    public LinearLayer(int x, int y, int pixels, int inputs, int outputs, float[] weights, float[] bias, Activation activation) : base(x, y)
    {
        (this.pixels, this.inputs, this.outputs, relu) = (pixels, inputs, outputs, activation == Activation.Relu);
        panels = (outputs + Microkernels.Panel - 1) / Microkernels.Panel;
        packed = new((long)panels * inputs * Microkernels.Panel);
        initial = new((long)panels * Microkernels.Panel);
        bias.CopyTo(new Span<float>(initial.Pointer, outputs));
        fixed (float* from = weights)
            for (int panel = 0; panel < panels; panel++)
                Packing.Copy(from + (nint)panel * Microkernels.Panel, outputs, Columns(panel), inputs, Panel(panel), Microkernels.Panel);
    }

    public override bool OfImages => pixels > 1;

    public override void Run(float* x, float* second, float* y, int rows, float* scratch)
    {
        rows *= pixels;
        if (rows == 1 && Microkernels.Lanes > 4)
            RunRow(x, y);
        else
            RunRows(x, y, rows);
    }

    private void RunRows(float* x, float* y, int rows)
    {
        nint* rowsOfA = stackalloc nint[Microkernels.RowLimit];
        nint* rowsOfC = stackalloc nint[Microkernels.RowLimit];
        for (int i = 0; i < Microkernels.RowLimit; i++)
            (rowsOfA[i], rowsOfC[i]) = ((nint)i * inputs, (nint)i * outputs);
        Tile tile = default;
        tile.ARows = rowsOfA;
        tile.CRows = rowsOfC;
        tile.AStep = 1;
        tile.BStep = Microkernels.Panel;
        tile.Depth = inputs;
        tile.Runs = tile.Groups = 1;
        tile.Relu = relu;
        tile.Prefetch = inputs >= 96;
        int tiles = (rows + Microkernels.MaxRows - 1) / Microkernels.MaxRows;
        for (int panel = 0; panel < panels; panel++)
        {
            int valid = Columns(panel), width = Microkernels.WidthFor(valid);
            tile.B = Panel(panel);
            tile.Initial = initial.Pointer + (nint)panel * Microkernels.Panel;
            for (int t = 0; t < tiles; t++)
            {
                int from = (int)((long)rows * t / tiles), count = (int)((long)rows * (t + 1) / tiles) - from;
                tile.A = x + (nint)from * inputs;
                tile.C = y + (nint)from * outputs + (nint)panel * Microkernels.Panel;
                Microkernels.Run(Microkernels.Rows(count, width), &tile, count, width, valid);
            }
        }
    }

    /// <summary>One row: as fast as the weights come from memory.</summary>
    private void RunRow(float* x, float* y)
    {
        float* buffer = stackalloc float[Microkernels.PanelLimit];
        for (int panel = 0; panel < panels; panel++)
        {
            int valid = Columns(panel);
            float* to = valid == Microkernels.Panel ? y + (nint)panel * Microkernels.Panel : buffer;
            float* from = initial.Pointer + (nint)panel * Microkernels.Panel;
            if (Microkernels.Lanes == 16)
                Row512(x, Panel(panel), inputs, from, to, relu);
            else
                Row256(x, Panel(panel), inputs, from, to, relu);
            if (to == buffer)
                Packing.CopyRow(buffer, y + (nint)panel * Microkernels.Panel, valid);
        }
    }

    /// <summary>Two vectors of columns, each as four sums over every fourth k, so that no addition waits for the one before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row512(float* x, float* b, int depth, float* initial, float* y, bool relu)
    {
        Vector512<float> a0 = Vector512.Load(initial), b0 = Vector512.Load(initial + 16);
        Vector512<float> a1 = default, a2 = default, a3 = default, b1 = default, b2 = default, b3 = default;
        int k = 0;
        for (; k <= depth - 4; k += 4, b += 128)
        {
            Vector512<float> x0 = Vector512.Create(x[k]), x1 = Vector512.Create(x[k + 1]), x2 = Vector512.Create(x[k + 2]),
                x3 = Vector512.Create(x[k + 3]);
            a0 = Vector512.FusedMultiplyAdd(x0, Vector512.Load(b), a0);
            b0 = Vector512.FusedMultiplyAdd(x0, Vector512.Load(b + 16), b0);
            a1 = Vector512.FusedMultiplyAdd(x1, Vector512.Load(b + 32), a1);
            b1 = Vector512.FusedMultiplyAdd(x1, Vector512.Load(b + 48), b1);
            a2 = Vector512.FusedMultiplyAdd(x2, Vector512.Load(b + 64), a2);
            b2 = Vector512.FusedMultiplyAdd(x2, Vector512.Load(b + 80), b2);
            a3 = Vector512.FusedMultiplyAdd(x3, Vector512.Load(b + 96), a3);
            b3 = Vector512.FusedMultiplyAdd(x3, Vector512.Load(b + 112), b3);
        }
        for (; k < depth; k++, b += 32)
        {
            var x0 = Vector512.Create(x[k]);
            a0 = Vector512.FusedMultiplyAdd(x0, Vector512.Load(b), a0);
            b0 = Vector512.FusedMultiplyAdd(x0, Vector512.Load(b + 16), b0);
        }
        a0 = a0 + a1 + (a2 + a3);
        b0 = b0 + b1 + (b2 + b3);
        Vector512.Store(relu ? Vector512.Max(a0, Vector512<float>.Zero) : a0, y);
        Vector512.Store(relu ? Vector512.Max(b0, Vector512<float>.Zero) : b0, y + 16);
    }

    /// <inheritdoc cref="Row512"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row256(float* x, float* b, int depth, float* initial, float* y, bool relu)
    {
        Vector256<float> a0 = Vector256.Load(initial), b0 = Vector256.Load(initial + 8);
        Vector256<float> a1 = default, a2 = default, a3 = default, b1 = default, b2 = default, b3 = default;
        int k = 0;
        for (; k <= depth - 4; k += 4, b += 64)
        {
            Vector256<float> x0 = Vector256.Create(x[k]), x1 = Vector256.Create(x[k + 1]), x2 = Vector256.Create(x[k + 2]),
                x3 = Vector256.Create(x[k + 3]);
            a0 = Vector256.FusedMultiplyAdd(x0, Vector256.Load(b), a0);
            b0 = Vector256.FusedMultiplyAdd(x0, Vector256.Load(b + 8), b0);
            a1 = Vector256.FusedMultiplyAdd(x1, Vector256.Load(b + 16), a1);
            b1 = Vector256.FusedMultiplyAdd(x1, Vector256.Load(b + 24), b1);
            a2 = Vector256.FusedMultiplyAdd(x2, Vector256.Load(b + 32), a2);
            b2 = Vector256.FusedMultiplyAdd(x2, Vector256.Load(b + 40), b2);
            a3 = Vector256.FusedMultiplyAdd(x3, Vector256.Load(b + 48), a3);
            b3 = Vector256.FusedMultiplyAdd(x3, Vector256.Load(b + 56), b3);
        }
        for (; k < depth; k++, b += 16)
        {
            var x0 = Vector256.Create(x[k]);
            a0 = Vector256.FusedMultiplyAdd(x0, Vector256.Load(b), a0);
            b0 = Vector256.FusedMultiplyAdd(x0, Vector256.Load(b + 8), b0);
        }
        a0 = a0 + a1 + (a2 + a3);
        b0 = b0 + b1 + (b2 + b3);
        Vector256.Store(relu ? Vector256.Max(a0, Vector256<float>.Zero) : a0, y);
        Vector256.Store(relu ? Vector256.Max(b0, Vector256<float>.Zero) : b0, y + 8);
    }

    private int Columns(int panel) => Math.Min(Microkernels.Panel, outputs - panel * Microkernels.Panel);

    private float* Panel(int panel) => packed.Pointer + (nint)panel * inputs * Microkernels.Panel;
}
