using VaeFromScratch.Kernels;

namespace VaeFromScratch;

public static partial class Ops
{
    private const int LstmGates = 4;

    /// <summary>
    /// A long short-term memory over a whole sequence, time first: the input's products of all steps are one matrix product, and each step
    /// adds the hidden state's and
    /// runs its cell in one kernel. Two kernels a step forward and two back; the gradients of both weights are one product each.
    /// </summary>
    /// <param name="x">[T, B, in].</param>
    /// <param name="inputWeight">[in, 4 H], gates in the order i, f, g, o.</param>
    /// <param name="hiddenWeight">[H, 4 H].</param>
    /// <param name="bias">[4 H].</param>
    /// <returns>The hidden state after every step, [T, B, H]; it and the cell state start at 0.</returns>
    public static Tensor Lstm(this Tensor x, Tensor inputWeight, Tensor hiddenWeight, Tensor bias)
    {
        if (x.Shape.Rank != 3 || inputWeight.Shape.Rank != 2 || hiddenWeight.Shape.Rank != 2 || x.Shape[2] != inputWeight.Shape[0]
            || hiddenWeight.Shape[1] != LstmGates * hiddenWeight.Shape[0]
            || inputWeight.Shape[1] != hiddenWeight.Shape[1] || bias.Length != hiddenWeight.Shape[1])
            throw new ShapeException("lstm", $"input {x.Shape}, weights {inputWeight.Shape} and {hiddenWeight.Shape}, bias {bias.Shape}",
                "[steps, batch, in], [in, 4 hidden], [hidden, 4 hidden] and [4 hidden]");
        int steps = x.Shape[0], batch = x.Shape[1], inputs = x.Shape[2], hidden = hiddenWeight.Shape[0], width = LstmGates * hidden,
            rows = steps * batch;
        var tape = Tape.Current;
        var y = Tape.New(new(steps, batch, hidden), x, inputWeight, hiddenWeight, bias);
        Slice<float> gates = tape.Temporary(rows * width), c = tape.Temporary(rows * hidden);
        tape.Kernels.MatMul(new(rows, width, inputs), x.Data, inputWeight.Data, gates, bias.Data);
        for (int t = 0; t < steps; t++)
        {
            if (t > 0)
                tape.Kernels.MatMul(new(batch, width, hidden, Accumulate: true), States(y.Data, t - 1), hiddenWeight.Data, Gates(gates, t));
            tape.Kernels.LstmCell(batch, hidden, Values(t), States(y.Data, t));
        }
        tape.Record(y, () =>
        {
            var g = y.Gradient;
            Slice<float> dgates = tape.Temporary(rows * width), gc = tape.Temporary(batch * hidden);
            for (int t = steps - 1; t >= 0; t--)
            {
                tape.Kernels.LstmCellGradient(batch, hidden, Values(t), States(g, t), t < steps - 1 ? gc : default, Gates(dgates, t),
                    t > 0 ? gc : default);
                // Nobody reads y's gradient after this, so the state's own share is added to it.
                if (t > 0)
                    tape.Kernels.MatMul(new(batch, hidden, width, false, true, Accumulate: true), Gates(dgates, t), hiddenWeight.Data,
                        States(g, t - 1));
            }
            if (x.NeedsGradient)
            {
                var dx = x.GradientSink(out bool add, masked: true);
                tape.Kernels.MatMul(new(rows, inputs, width, false, true, add), dgates, inputWeight.Data, dx, reluMask: x.ReluMask);
            }
            if (hiddenWeight.NeedsGradient && steps > 1)
            {
                int later = rows - batch;
                var dw = hiddenWeight.GradientSink(out bool add);
                tape.Kernels.MatMul(new(hidden, width, later, true, false, add), y.Data.Part(0, later * hidden),
                    dgates.Part(batch * width, later * width), dw);
            }
            if (inputWeight.NeedsGradient)
            {
                var dw = inputWeight.GradientSink(out bool add);
                tape.Kernels.MatMul(new(inputs, width, rows, true, false, add), x.Data, dgates, dw);
            }
            tape.AddColumnSums(bias, dgates, rows);
        });
        return y;

        Slice<float> States(Slice<float> all, int t) => all.Part(t * batch * hidden, batch * hidden);

        Slice<float> Gates(Slice<float> all, int t) => all.Part(t * batch * width, batch * width);

        LstmCellValues Values(int t) => new(Gates(gates, t), t > 0 ? States(c, t - 1) : default, States(c, t));
    }
}
