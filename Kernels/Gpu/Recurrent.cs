using ILGPU;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// The cell of a long short-term memory: everything between two matrix products, a thread a unit. Its activations are made again for the
/// gradient, which is cheaper than storing them.
/// </summary>
internal sealed partial class GpuBackend
{
    public void LstmCell(int rows, int h, LstmCellValues values, Slice<float> hidden) =>
        Each<LstmCell, LstmCellArguments>(Require.LstmCell("lstm_cell", rows, h, values, hidden), Arguments(h, values, hidden));

    public void LstmCellGradient(int rows, int h, LstmCellValues values, Slice<float> ghidden, Slice<float> gc, Slice<float> dgates,
        Slice<float> dbefore) =>
        Each<LstmCellGradient, LstmCellGradientArguments>(
            Require.LstmCellGradient(rows, h, values, ghidden, gc, dgates, dbefore),
            new(Arguments(h, values, ghidden), View(gc), View(dgates), View(dbefore), gc.IsAbsent ? 0 : 1));

    private LstmCellArguments Arguments(int h, LstmCellValues values, Slice<float> hidden) =>
        new(View(values.Gates), View(values.Before), View(values.C), View(hidden), h, values.Before.IsAbsent ? 0 : 1);
}

/// <param name="Hidden">The hidden values, or their gradient.</param>
internal readonly record struct LstmCellArguments(ArrayView<float> Gates, ArrayView<float> Before, ArrayView<float> C,
    ArrayView<float> Hidden, int H, int HasBefore);

internal readonly struct LstmCell : IEntry<LstmCellArguments>
{
    public static void Of(LstmCellArguments a, int i)
    {
        var unit = UnitAt(a, GateAt(a, i));
        Lane state = a.HasBefore != 0 ? unit.State(a.Before[i]) : unit.FirstState();
        a.C[i] = state;
        a.Hidden[i] = unit.Hidden(state);
    }

    /// <summary>Where unit i's input gate is; the others follow h apart.</summary>
    public static int GateAt(LstmCellArguments a, int i) => i / a.H * (3 * a.H) + i;

    public static LstmUnit<Lane> UnitAt(LstmCellArguments a, int at) =>
        new(a.Gates[at], a.Gates[at + a.H], a.Gates[at + 2 * a.H], a.Gates[at + 3 * a.H]);
}

internal readonly record struct LstmCellGradientArguments(LstmCellArguments Cell, ArrayView<float> Gc, ArrayView<float> Dgates,
    ArrayView<float> Dbefore, int HasGc);

internal readonly struct LstmCellGradient : IEntry<LstmCellGradientArguments>
{
    public static void Of(LstmCellGradientArguments a, int i)
    {
        int at = LstmCell.GateAt(a.Cell, i);
        var unit = LstmCell.UnitAt(a.Cell, at);
        Lane g = a.Cell.Hidden[i], tanh = RealMath.Tanh((Lane)a.Cell.C[i]);
        Lane toState = unit.ToState(g, tanh, a.HasGc != 0 ? a.Gc[i] : 0f), before = a.Cell.HasBefore != 0 ? a.Cell.Before[i] : 0f;
        a.Dgates[at] = unit.ToInput(toState);
        a.Dgates[at + a.Cell.H] = unit.ToForget(toState, before);
        a.Dgates[at + 2 * a.Cell.H] = unit.ToCandidate(toState);
        a.Dgates[at + 3 * a.Cell.H] = unit.ToOutput(g, tanh);
        if (a.Cell.HasBefore != 0)
            a.Dbefore[i] = unit.ToBefore(toState);
    }
}
