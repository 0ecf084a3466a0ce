// How do I know that a gradient is right?
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch;
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

const int Rows = 6, Inputs = 5, Hidden = 7;
var lesson = new Lesson("How do I know that a gradient is right?", "02-tensor-tape", args);
lesson.Say("Move one number by a little and look how the result moves: (f(x + h) - f(x - h)) / 2h is off by a multiple of h^2 only.");

// f = mean over rows of (tanh(x w1) w2)^2: a tape whose notes are whole matrices.
var random = new Random(1);
double[,] x = Matrix.Random(Rows, Inputs, random), w1 = Matrix.Random(Inputs, Hidden, random), w2 = Matrix.Random(Hidden, 1, random);
var (loss, gradients) = Network(rightSlope: true);

// Central differences of every weight. The error is h^2 times a third derivative, until rounding (1e-16 / h) takes over.
double[] steps = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10];
double[] errors = [.. steps.Select(h => Matrix.LargestDifference(gradients, Differences(h)))];
lesson.Check("largest difference from central differences, h = 1e-5", errors[4], 0, 1e-8);
double order = Math.Log10(errors[0] / errors[2]) / 2;
lesson.Check("order of the error in h, from h = 0.1 to 0.001", order, 2, 0.1);
lesson.CheckAtLeast("h = 1e-10 is worse than h = 1e-5: rounding, times", errors[^1] / errors[4], 10);

// A check that cannot fail is worth nothing: plant the commonest mistake, the slope of tanh without the square.
var (_, wrong) = Network(rightSlope: false);
lesson.CheckAtLeast("the same with a wrong slope of tanh: the check sees it", Matrix.LargestDifference(wrong, Differences(1e-5)), 1e-2);

// The library's tape in float32 on the same numbers.
using (var compute = Compute.Open("cpu"))
using (var tape = compute.Tape())
{
    Tensor tx = tape.Constant(new(Rows, Inputs), Floats(x));
    Tensor t1 = tape.Constant(new(Inputs, Hidden), Floats(w1), needsGradient: true);
    Tensor t2 = tape.Constant(new(Hidden, 1), Floats(w2), needsGradient: true);
    var result = tx.MatMul(t1).Tanh().MatMul(t2).Square().Mean();
    tape.Backward(result);
    double[] theirs = [.. t1.GradientToArray().Concat(t2.GradientToArray()).Select(g => (double)g)];
    lesson.Check("f by the library, float32", result.Item(), loss, 1e-6);
    lesson.Check("largest difference of its gradient", Matrix.LargestDifference(gradients, theirs), 0, 1e-6);
}

lesson.Page.Section("Pictures").Figure(new LineChart([new("largest difference", steps, errors)])
{
    Title = "Central differences against the tape", XLabel = "h", YLabel = "largest difference", LogX = true, LogY = true,
}, "On the right the difference falls with h squared, on the left rounding grows with 1/h; ten digits are left between.");
return lesson.End();

(double Loss, double[] Gradients) Network(bool rightSlope)
{
    var tape = new MatrixTape();
    Node n1 = tape.Variable(w1), n2 = tape.Variable(w2);
    var hidden = tape.Tanh(tape.Product(tape.Variable(x), n1), rightSlope);
    var f = tape.MeanSquare(tape.Product(hidden, n2));
    tape.Backward(f);
    return (f.Value[0, 0], [.. n1.Gradient.Cast<double>(), .. n2.Gradient.Cast<double>()]);
}

double[] Differences(double h)
{
    var result = new List<double>();
    foreach (double[,] w in (double[][,])[w1, w2])
        for (int i = 0; i < w.GetLength(0); i++)
            for (int j = 0; j < w.GetLength(1); j++)
            {
                double old = w[i, j];
                w[i, j] = old + h;
                double above = Network(true).Loss;
                w[i, j] = old - h;
                result.Add((above - Network(true).Loss) / (2 * h));
                w[i, j] = old;
            }
    return [.. result];
}

static float[] Floats(double[,] m) => [.. m.Cast<double>().Select(v => (float)v)];

/// <summary>A matrix on the tape, with how the result moves when it moves: a matrix of the same shape.</summary>
sealed record Node(double[,] Value, double[,] Gradient);

sealed class MatrixTape
{
    private readonly List<Action> backward = [];

    public Node Variable(double[,] value) => new(value, new double[value.GetLength(0), value.GetLength(1)]);

    /// <summary>c = a b. With G = df/dc: df/da = G b', df/db = a' G.</summary>
    public Node Product(Node a, Node b)
    {
        var c = Variable(Matrix.Product(a.Value, b.Value));
        backward.Add(() =>
        {
            Matrix.Add(a.Gradient, Matrix.Product(c.Gradient, Matrix.Transposed(b.Value)));
            Matrix.Add(b.Gradient, Matrix.Product(Matrix.Transposed(a.Value), c.Gradient));
        });
        return c;
    }

    public Node Tanh(Node a, bool rightSlope)
    {
        var y = Variable(Matrix.Map(a.Value, Math.Tanh));
        backward.Add(() => Matrix.Add(a.Gradient, Matrix.Zip(y.Gradient, y.Value, (g, v) => g * (1 - (rightSlope ? v * v : v)))));
        return y;
    }

    public Node MeanSquare(Node a)
    {
        var y = Variable(new[,] { { a.Value.Cast<double>().Average(v => v * v) } });
        backward.Add(() => Matrix.Add(a.Gradient, Matrix.Map(a.Value, v => y.Gradient[0, 0] * 2 * v / a.Value.Length)));
        return y;
    }

    public void Backward(Node root)
    {
        root.Gradient[0, 0] = 1;
        for (int i = backward.Count - 1; i >= 0; i--)
            backward[i]();
    }
}

static class Matrix
{
    public static double[,] Of(int n, int m, Func<int, int, double> at)
    {
        var result = new double[n, m];
        for (int i = 0; i < n * m; i++)
            result[i / m, i % m] = at(i / m, i % m);
        return result;
    }

    public static double[,] Random(int n, int m, Random random) => Of(n, m, (_, _) => 2 * random.NextDouble() - 1);
    public static double[,] Transposed(double[,] a) => Of(a.GetLength(1), a.GetLength(0), (i, j) => a[j, i]);
    public static double[,] Map(double[,] a, Func<double, double> f) => Of(a.GetLength(0), a.GetLength(1), (i, j) => f(a[i, j]));
    public static double[,] Zip(double[,] a, double[,] b, Func<double, double, double> f) =>
        Of(a.GetLength(0), a.GetLength(1), (i, j) => f(a[i, j], b[i, j]));
    public static double[,] Product(double[,] a, double[,] b) =>
        Of(a.GetLength(0), b.GetLength(1), (i, j) => Enumerable.Range(0, b.GetLength(0)).Sum(k => a[i, k] * b[k, j]));
    public static void Add(double[,] to, double[,] a) => Array.Copy(Zip(to, a, (s, t) => s + t), to, to.Length);
    public static double LargestDifference(double[] a, double[] b) => a.Zip(b, (s, t) => Math.Abs(s - t)).Max();
}
