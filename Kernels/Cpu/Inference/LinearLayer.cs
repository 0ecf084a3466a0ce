using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using VaeFromScratch.Kernels.Cpu.Products;
using VaeFromScratch.Kernels.Cpu.Simd;

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
            new WidestJob<RowJob>(new(this, x, y)).Run(0);
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
    private readonly struct RowJob(LinearLayer layer, float* x, float* y) : ILaneJob
    {
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            float* buffer = stackalloc float[Microkernels.PanelLimit];
            for (int panel = 0; panel < layer.panels; panel++)
            {
                nint column = (nint)panel * Microkernels.Panel;
                int valid = layer.Columns(panel);
                float* to = valid == Microkernels.Panel ? y + column : buffer;
                Row<V>(x, layer.Panel(panel), layer.inputs, layer.initial.Pointer + column, to, layer.relu);
                if (to == buffer)
                    Packing.CopyRow(buffer, y + column, valid);
            }
        }

        /// <summary>
        /// The columns of a panel, each as four sums over every fourth k, so that no addition waits for the one before. A panel is two
        /// vectors where a vector is one register; where it is two it is one vector, and the compiler leaves the second out.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Row<V>(float* x, float* b, int depth, float* initial, float* y, bool relu) where V : struct, IVector<V>
        {
            int step = Vector512.IsHardwareAccelerated ? 2 * IVector<V>.Lanes : IVector<V>.Lanes;
            V zero = V.Broadcast(0f), a0 = V.Load(initial), a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
            if (Vector512.IsHardwareAccelerated)
                b0 = V.Load(initial + IVector<V>.Lanes);
            int k = 0;
            for (; k <= depth - 4; k += 4, b += 4 * step)
            {
                Add(x[k], b, ref a0, ref b0);
                Add(x[k + 1], b + step, ref a1, ref b1);
                Add(x[k + 2], b + 2 * step, ref a2, ref b2);
                Add(x[k + 3], b + 3 * step, ref a3, ref b3);
            }
            for (; k < depth; k++, b += step)
                Add(x[k], b, ref a0, ref b0);
            a0 = a0 + a1 + (a2 + a3);
            V.Store(relu ? V.Max(a0, zero) : a0, y);
            if (!Vector512.IsHardwareAccelerated)
                return;
            b0 = b0 + b1 + (b2 + b3);
            V.Store(relu ? V.Max(b0, zero) : b0, y + IVector<V>.Lanes);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Add<V>(float x, float* b, ref V first, ref V second) where V : struct, IVector<V>
        {
            V value = V.Broadcast(x);
            first = V.Fma(value, V.Load(b), first);
            if (Vector512.IsHardwareAccelerated)
                second = V.Fma(value, V.Load(b + IVector<V>.Lanes), second);
        }
    }

    private int Columns(int panel) => Math.Min(Microkernels.Panel, outputs - panel * Microkernels.Panel);

    private float* Panel(int panel) => packed.Pointer + (nint)panel * inputs * Microkernels.Panel;
}
