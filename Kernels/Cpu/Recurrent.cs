using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The cell of a long short-term memory: everything between two matrix products in one pass.</summary>
internal sealed unsafe partial class CpuBackend
{
    public void LstmCell(int rows, int h, LstmCellValues values, Slice<float> hidden)
    {
        var (gates, before, c) = values;
        Require.LstmCell("lstm_cell", rows, h, values, hidden);
        ForEach(RowParts(rows, 4 * h), new LstmCellJob(rows, h, gates.Pointer, before.Pointer, c.Pointer, hidden.Pointer));
    }

    public void LstmCellGradient(int rows, int h, LstmCellValues values, Slice<float> ghidden, Slice<float> gc, Slice<float> dgates,
        Slice<float> dbefore)
    {
        var (gates, before, c) = values;
        Require.LstmCellGradient(rows, h, values, ghidden, gc, dgates, dbefore);
        ForEach(RowParts(rows, 4 * h), new LstmCellGradientJob(rows, h, ghidden.Pointer, gc.Pointer, gates.Pointer, before.Pointer,
            c.Pointer, dgates.Pointer, dbefore.Pointer));
    }

    /// <summary>Up to 16 units, from a row of gates.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static LstmUnit<V> Units<V>(float* row, int h, int count) where V : struct, IVector<V> =>
        new(Lanes.LoadUpTo<V>(row, count), Lanes.LoadUpTo<V>(row + h, count), Lanes.LoadUpTo<V>(row + 2 * h, count),
            Lanes.LoadUpTo<V>(row + 3 * h, count));

    private readonly struct LstmCellJob(int rows, int h, float* gates, float* before, float* c, float* hidden) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(4 * h), last = Math.Min(rows, first + RowsPerPart(4 * h));
            for (int r = first; r < last; r++)
                for (int i = 0; i < h; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(h - i, IVector<V>.Lanes);
                    nint at = (nint)r * h + i;
                    var units = Units<V>(gates + (nint)r * 4 * h + i, h, count);
                    V state = before == null ? units.FirstState() : units.State(Lanes.LoadUpTo<V>(before + at, count));
                    Lanes.StoreUpTo(state, c + at, count);
                    Lanes.StoreUpTo(units.Hidden(state), hidden + at, count);
                }
        }
    }

    private readonly struct LstmCellGradientJob(int rows, int h, float* ghidden, float* gc, float* gates, float* before, float* c,
        float* dgates, float* dbefore) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(4 * h), last = Math.Min(rows, first + RowsPerPart(4 * h));
            V zero = V.Broadcast(0f);
            for (int r = first; r < last; r++)
                for (int i = 0; i < h; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(h - i, IVector<V>.Lanes);
                    nint at = (nint)r * h + i;
                    var units = Units<V>(gates + (nint)r * 4 * h + i, h, count);
                    V g = Lanes.LoadUpTo<V>(ghidden + at, count), tanh = RealMath.Tanh(Lanes.LoadUpTo<V>(c + at, count));
                    V toState = units.ToState(g, tanh, gc == null ? zero : Lanes.LoadUpTo<V>(gc + at, count));
                    V old = before == null ? zero : Lanes.LoadUpTo<V>(before + at, count);
                    float* to = dgates + (nint)r * 4 * h + i;
                    Lanes.StoreUpTo(units.ToInput(toState), to, count);
                    Lanes.StoreUpTo(units.ToForget(toState, old), to + h, count);
                    Lanes.StoreUpTo(units.ToCandidate(toState), to + 2 * h, count);
                    Lanes.StoreUpTo(units.ToOutput(g, tanh), to + 3 * h, count);
                    if (before != null)
                        Lanes.StoreUpTo(units.ToBefore(toState), dbefore + at, count);
                }
        }
    }
}
