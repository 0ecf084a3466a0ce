namespace VaeFromScratch;

/// <summary>Shapes that an operation cannot work with; the message names the operation, the shapes and what they should be.</summary>
/// <param name="operation">As errors and profiles name it: "matmul".</param>
/// <param name="got">The shapes that came, in words: "[2, 3] times [4, 5]".</param>
/// <param name="expected">What they should have been, in words.</param>
public sealed class ShapeException(string operation, string got, string expected)
    : ArgumentException($"{operation}: {got}; expected {expected}")
{
    public string Operation { get; } = operation;

    public string Got { get; } = got;

    public string Expected { get; } = expected;
}
