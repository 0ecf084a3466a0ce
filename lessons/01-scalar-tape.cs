// How does a program find the derivative of what it computes?
#:project shared/Lesson.csproj
#:property PublishAot=false
using VaeFromScratch.Lessons;
using VaeFromScratch.Reports;

var lesson = new Lesson("How does a program find the derivative of what it computes?", "01-scalar-tape", args);
lesson.Say("Each operation notes how its result moves when an input moves.");
lesson.Say("Walking back over the notes multiplies these slopes: the chain rule.");

// f = x y + sin(x) exp(y) at (1.5, -0.5); x and y are each used twice, so that two paths lead back to either.
var tape = new ScalarTape();
Value x = tape.Variable(1.5), y = tape.Variable(-0.5);
var f = x * y + x.Sin() * y.Exp();
tape.Backward(f);
lesson.Check("f", f.Data, 1.5 * -0.5 + Math.Sin(1.5) * Math.Exp(-0.5), 1e-15);
lesson.Check("df/dx = y + cos(x) exp(y)", x.Slope, -0.5 + Math.Cos(1.5) * Math.Exp(-0.5), 1e-15);
lesson.Check("df/dy = x + sin(x) exp(y)", y.Slope, 1.5 + Math.Sin(1.5) * Math.Exp(-0.5), 1e-15);
lesson.Print("notes on the tape", tape.Count, "operations");

// A variable that is used twice must add up its slopes; a tape that overwrites them says 1 here.
tape = new();
x = tape.Variable(3);
tape.Backward(x * x + x);
lesson.Check("d(x x + x)/dx at 3", x.Slope, 7, 0);

// What it is for: finding a minimum. The line through 20 points by gradient descent, beside the solution of the normal equations.
double[] xs = [.. Enumerable.Range(0, 20).Select(i => i / 10.0 - 1)], ys = [.. xs.Select((t, i) => 0.7 * t - 0.3 + 0.1 * Math.Sin(12 * i))];
var losses = new List<double>();
var (slope, offset) = (0.0, 0.0);
for (int step = 0; step < 400; step++)
{
    tape = new();
    Value a = tape.Variable(slope), b = tape.Variable(offset), loss = tape.Variable(0);
    for (int i = 0; i < xs.Length; i++)
    {
        var error = a * tape.Variable(xs[i]) + b - tape.Variable(ys[i]);
        loss += error * error * tape.Variable(1.0 / xs.Length);
    }
    tape.Backward(loss);
    (slope, offset) = (slope - 0.5 * a.Slope, offset - 0.5 * b.Slope);
    losses.Add(loss.Data);
}
double mx = xs.Average(), my = ys.Average();
double best = xs.Zip(ys, (s, t) => (s - mx) * (t - my)).Sum() / xs.Sum(s => (s - mx) * (s - mx)), bestOffset = my - best * mx;
lesson.Check("slope of the line that gradient descent finds", slope, best, 1e-9);
lesson.Check("its offset", offset, bestOffset, 1e-9);
lesson.CheckAtMost("loss after the last step, minus the loss after the first", losses[^1] - losses[0], 0);

lesson.Page.Section("Pictures")
    .Figure(new LineChart([new("squared error", [.. Enumerable.Range(1, 100).Select(i => (double)i)], losses[..100])])
    {
        Title = "Gradient descent on two numbers", XLabel = "step", YLabel = "mean squared error", LogY = true,
    }, "Each step walks the tape forwards and backwards: a gradient costs about as much as the function, however many variables there are.")
    .Figure(new LineChart([new("points", xs, ys), new("line found", xs, [.. xs.Select(t => slope * t + offset)])])
    {
        XLabel = "x", YLabel = "y",
    });
return lesson.End();

/// <summary>A number that knows where it came from.</summary>
sealed class Value(ScalarTape tape, double data)
{
    public double Data => data;

    /// <summary>How the final result moves when this number moves.</summary>
    public double Slope { get; set; }

    public Value Sin() => tape.Note(Math.Sin(data), (this, Math.Cos(data)));
    public Value Exp() => tape.Note(Math.Exp(data), (this, Math.Exp(data)));
    public static Value operator +(Value a, Value b) => a.Both(b, a.Data + b.Data, 1, 1);
    public static Value operator -(Value a, Value b) => a.Both(b, a.Data - b.Data, 1, -1);
    public static Value operator *(Value a, Value b) => a.Both(b, a.Data * b.Data, b.Data, a.Data);

    private Value Both(Value other, double result, double slope, double otherSlope) =>
        tape.Note(result, (this, slope), (other, otherSlope));
}

/// <summary>The notes in the order in which they were made; backwards, every result comes before what it was made from.</summary>
sealed class ScalarTape
{
    private readonly List<(Value Result, (Value Input, double Slope)[] Inputs)> notes = [];

    public int Count => notes.Count;

    public Value Variable(double data) => new(this, data);

    public Value Note(double result, params (Value Input, double Slope)[] inputs)
    {
        var value = new Value(this, result);
        notes.Add((value, inputs));
        return value;
    }

    public void Backward(Value root)
    {
        root.Slope = 1;
        for (int i = notes.Count - 1; i >= 0; i--)
            foreach (var (input, slope) in notes[i].Inputs)
                input.Slope += slope * notes[i].Result.Slope;
    }
}
