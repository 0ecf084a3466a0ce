using VaeFromScratch.Kernels;

namespace VaeFromScratch.Reference;

/// <summary>The cell of a long short-term memory and its gradient, for a first step and a later one.</summary>
public static class RecurrentCases
{
    private static readonly (int Rows, int H)[] Shapes = [(1, 1), (3, 7), (2, 16), (5, 17), (16, 128), (63, 33)];

    public static IEnumerable<KernelCase> All() =>
        from shape in Shapes
        from first in new[] { true, false }
        from kernelCase in new[] { Cell(shape.Rows, shape.H, first), Gradient(shape.Rows, shape.H, first) }
        select kernelCase;

    private static string Label(int rows, int h, bool first) => $"{rows}x{h}{(first ? ", first step" : "")}";

    public static KernelCase Cell(int rows, int h, bool first) => new("LstmCell", Label(rows, h, first), c =>
    {
        int n = rows * h;
        float[] gates = c.Hard(4 * n, -4, 4, outlier: 40), before = first ? new float[n] : c.Uniform(n, -3, 3);
        Slice<float> a = c.Upload(gates), b0 = first ? default : c.Upload(before), state = c.Output(n), hidden = c.Output(n);
        c.Run(b => b.LstmCell(rows, h, new(a, b0, state), hidden));
        c.Expect(state, Each(n, i => Of(gates, before, h, i).State), 1e-6, 1e-6, "c");
        c.Expect(hidden, Each(n, i => Of(gates, before, h, i).Hidden), 1e-6, 1e-6, "hidden");
    });

    public static KernelCase Gradient(int rows, int h, bool first) => new("LstmCellGradient", Label(rows, h, first), c =>
    {
        int n = rows * h;
        float[] gates = c.Uniform(4 * n, -4, 4), before = first ? new float[n] : c.Uniform(n, -3, 3), gh = c.Uniform(n), gc = first
            ? new float[n] : c.Uniform(n);
        float[] state = [.. Enumerable.Range(0, n).Select(i => (float)Of(gates, before, h, i).State)];
        Slice<float> ghs = c.Upload(gh), gcs = first ? default : c.Output(gc), a = c.Upload(gates), b0 = first ? default : c.Upload(before),
            s = c.Upload(state), dgates = c.Output(4 * n);
        // In place, as a pass over a sequence does it; each call changes gc, so that only the first is compared.
        c.Run(b => b.LstmCellGradient(rows, h, new(a, b0, s), ghs, gcs, dgates, gcs));
        var terms = Enumerable.Range(0, n).Select(i => Slopes(Of(gates, before, h, i), state[i], before[i], gh[i], gc[i])).ToArray();
        c.Expect(dgates, Each(4 * n, i => terms[i / (4 * h) * h + i % h].Gates[i / h % 4]), 3e-6, 1e-6, "dgates");
        if (!first)
            c.Expect(gcs, Each(n, i => terms[i].Before), 3e-6, 1e-6, "dbefore");
    });

    private readonly record struct Unit(double Input, double Forget, double Candidate, double Output, double State, double Hidden);

    private static Unit Of(float[] gates, float[] before, int h, int i)
    {
        int at = i / h * 4 * h + i % h;
        double input = ElementwiseReference.Sigmoid(gates[at]), forget = ElementwiseReference.Sigmoid(gates[at + h]),
            candidate = Math.Tanh(gates[at + 2 * h]), output = ElementwiseReference.Sigmoid(gates[at + 3 * h]);
        double state = forget * before[i] + input * candidate;
        return new(input, forget, candidate, output, state, output * Math.Tanh(state));
    }

    private static (double[] Gates, double Before) Slopes(Unit u, double state, double before, double gh, double gc)
    {
        double tanh = Math.Tanh(state), toState = gh * u.Output * (1 - tanh * tanh) + gc;
        return ([toState * u.Candidate * u.Input * (1 - u.Input), toState * before * u.Forget * (1 - u.Forget),
            toState * u.Input * (1 - u.Candidate * u.Candidate), gh * tanh * u.Output * (1 - u.Output)], toState * u.Forget);
    }

    private static double[] Each(int n, Func<int, double> f) => [.. Enumerable.Range(0, n).Select(f)];
}
