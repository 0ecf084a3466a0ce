using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The cell of a long short-term memory: everything between two matrix products in one pass.</summary>
public sealed unsafe partial class CpuBackend
{
    public void LstmCell(int rows, int h, Slice<float> gates, Slice<float> before, Slice<float> c, Slice<float> hidden)
    {
        CheckCell("lstm_cell", rows, h, gates, before, c, hidden);
        ForEach(RowParts(rows, 4 * h), new LstmCellJob(rows, h, gates.Pointer, before.Pointer, c.Pointer, hidden.Pointer));
    }

    public void LstmCellGradient(int rows, int h, Slice<float> ghidden, Slice<float> gc, Slice<float> gates, Slice<float> before, Slice<float> c, Slice<float> dgates, Slice<float> dbefore)
    {
        CheckCell("lstm_cell gradient", rows, h, gates, before, c, ghidden);
        Check((gc.IsAbsent || gc.Length == c.Length) && dgates.Length == gates.Length && dbefore.Length == before.Length, "lstm_cell gradient",
            $"[{rows}, {h}] got gc {gc.Length}, dgates {dgates.Length}, before {before.Length}, dbefore {dbefore.Length} elements");
        ForEach(RowParts(rows, 4 * h), new LstmCellGradientJob(rows, h, ghidden.Pointer, gc.Pointer, gates.Pointer, before.Pointer, c.Pointer, dgates.Pointer, dbefore.Pointer));
    }

    private static void CheckCell(string operation, int rows, int h, Slice<float> gates, Slice<float> before, Slice<float> c, Slice<float> hidden)
    {
        long n = (long)rows * h;
        Check(gates.Length == 4 * n && (before.IsAbsent || before.Length == n) && c.Length == n && hidden.Length == n, operation,
            $"[{rows}, {h}] needs {4 * n} gates and {n} states, got {gates.Length} and {before.Length}, {c.Length}, {hidden.Length}");
    }

    /// <summary>The four gates of up to 16 units after their activations.</summary>
    private readonly struct Gates<V> where V : struct, IVector<V>
    {
        public readonly V Input, Forget, Candidate, Output;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Gates(float* row, int h, int count)
        {
            Input = VectorMath.Sigmoid(Lanes.LoadUpTo<V>(row, count));
            Forget = VectorMath.Sigmoid(Lanes.LoadUpTo<V>(row + h, count));
            Candidate = VectorMath.Tanh(Lanes.LoadUpTo<V>(row + 2 * h, count));
            Output = VectorMath.Sigmoid(Lanes.LoadUpTo<V>(row + 3 * h, count));
        }
    }

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
                    var gate = new Gates<V>(gates + (nint)r * 4 * h + i, h, count);
                    V state = gate.Input * gate.Candidate;
                    if (before != null)
                        state = V.Fma(gate.Forget, Lanes.LoadUpTo<V>(before + at, count), state);
                    Lanes.StoreUpTo(state, c + at, count);
                    Lanes.StoreUpTo(gate.Output * VectorMath.Tanh(state), hidden + at, count);
                }
        }
    }

    private readonly struct LstmCellGradientJob(int rows, int h, float* ghidden, float* gc, float* gates, float* before, float* c, float* dgates, float* dbefore) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(4 * h), last = Math.Min(rows, first + RowsPerPart(4 * h));
            V zero = V.Broadcast(0f), one = V.Broadcast(1f);
            for (int r = first; r < last; r++)
                for (int i = 0; i < h; i += IVector<V>.Lanes)
                {
                    int count = Math.Min(h - i, IVector<V>.Lanes);
                    nint at = (nint)r * h + i;
                    var gate = new Gates<V>(gates + (nint)r * 4 * h + i, h, count);
                    V g = Lanes.LoadUpTo<V>(ghidden + at, count), tanh = VectorMath.Tanh(Lanes.LoadUpTo<V>(c + at, count));
                    V toState = V.Fma(g * gate.Output, one - tanh * tanh, gc == null ? zero : Lanes.LoadUpTo<V>(gc + at, count));
                    V old = before == null ? zero : Lanes.LoadUpTo<V>(before + at, count);
                    float* to = dgates + (nint)r * 4 * h + i;
                    Lanes.StoreUpTo(toState * gate.Candidate * (gate.Input * (one - gate.Input)), to, count);
                    Lanes.StoreUpTo(toState * old * (gate.Forget * (one - gate.Forget)), to + h, count);
                    Lanes.StoreUpTo(toState * gate.Input * (one - gate.Candidate * gate.Candidate), to + 2 * h, count);
                    Lanes.StoreUpTo(g * tanh * (gate.Output * (one - gate.Output)), to + 3 * h, count);
                    if (before != null)
                        Lanes.StoreUpTo(toState * gate.Forget, dbefore + at, count);
                }
        }
    }
}
