using VaeFromScratch.Kernels;

namespace VaeFromScratch;

/// <summary>A contiguous array of float32 on a device with a shape, and a place for its gradient.</summary>
/// <remarks>
/// Tensors made by operations belong to the current <see cref="Tape"/> and are gone when it is disposed of; parameters and tensors from
/// <see cref="Compute.Allocate(Shape)"/> live on. A reshaped tensor is a view: it shares values and gradient with the original.
/// </remarks>
public sealed class Tensor
{
    private readonly Tensor? viewOf;
    private readonly Tape? tape;
    private readonly Slice<float> values;
    private readonly bool needsGradient;
    private Slice<float> gradient;

    internal Tensor(Compute compute, Shape shape, Slice<float> values, Tape? tape, bool needsGradient) =>
        (Compute, Shape, this.values, this.tape, this.needsGradient) = (compute, shape, values, tape, needsGradient);

    private Tensor(Tensor viewOf, Shape shape) : this(viewOf.Compute, shape, viewOf.values, viewOf.tape, viewOf.needsGradient) =>
        this.viewOf = viewOf.Root;

    /// <summary>A trainable parameter: its gradient has memory of its own.</summary>
    internal Tensor(Compute compute, Shape shape, Slice<float> data, Slice<float> gradient) : this(compute, shape, data, null, true)
    {
        this.gradient = gradient;
        IsParameter = true;
    }

    public Compute Compute { get; }

    public Shape Shape { get; }

    public int Length => Shape.Length;

    /// <summary>Whether a backward pass computes this tensor's gradient now.</summary>
    public bool NeedsGradient => needsGradient && !(Root.IsParameter && (Root.Frozen || Tape.PassesOverParameters));

    internal bool IsParameter { get; }

    /// <summary>A frozen parameter takes no gradient: another network is being stepped.</summary>
    internal bool Frozen { get; set; }

    /// <summary>The values, in device memory.</summary>
    public Slice<float> Data => tape is { IsDisposed: true }
        ? throw new ObjectDisposedException(nameof(Tensor), $"tensor {Shape}: its tape is gone; read values before the tape is disposed of")
        : values;

    /// <summary>The gradient accumulated by the last backward pass; absent when there was none.</summary>
    public Slice<float> Gradient => Root.HasGradient ? Root.gradient : default;

    internal Tensor Root => viewOf ?? this;

    internal bool HasGradient { get; private set; }

    /// <summary>
    /// Set where the values are the output of a fused ReLU; consumers then mask the gradient they write, which saves a pass.
    /// </summary>
    internal bool IsReluOutput { get; set; }

    /// <summary>Whether some contribution to the gradient of a ReLU output has not been masked yet.</summary>
    internal bool GradientUnmasked { get; private set; }

    /// <summary>The mask that a consumer of a ReLU output passes to the kernel that writes the gradient.</summary>
    internal Slice<float> ReluMask => Root.IsReluOutput ? values : default;

    /// <summary>Where to write a contribution to the gradient, and whether to add to what is there.</summary>
    /// <param name="masked">Whether the kernel that writes it is given <see cref="ReluMask"/>.</param>
    internal Slice<float> GradientSink(out bool accumulate, bool masked = false) => Root.OpenGradient(out accumulate, masked);

    private Slice<float> OpenGradient(out bool accumulate, bool masked)
    {
        accumulate = HasGradient;
        if (!accumulate)
        {
            if (gradient.IsAbsent)
                gradient = tape!.RentGradient(this);
            HasGradient = true;
            GradientUnmasked = false;
        }
        GradientUnmasked |= IsReluOutput && !masked;
        return gradient;
    }

    /// <summary>Forgets the gradient, keeping a parameter's memory for the next.</summary>
    internal void ClearGradient(bool releaseMemory)
    {
        HasGradient = false;
        if (releaseMemory && !gradient.IsAbsent)
        {
            Compute.Pool.Return(gradient);
            gradient = default;
        }
    }

    /// <summary>The same values under another shape of the same length; one size may be -1.</summary>
    public Tensor Reshape(params ReadOnlySpan<int> sizes)
    {
        int unknown = sizes.IndexOf(-1);
        var resolved = sizes.ToArray();
        if (unknown >= 0)
        {
            int known = 1;
            foreach (int size in sizes)
                known *= size == -1 ? 1 : size;
            resolved[unknown] = known == 0 ? 0 : Length / known;
        }
        var shape = new Shape(resolved);
        return shape.Length == Length
            ? new(this, shape)
            : throw new ShapeException("reshape", $"{Shape} has {Length} elements, {shape} has {shape.Length}", "as many");
    }

    /// <summary>Copies the values to the host. Waits for the device.</summary>
    public float[] ToArray()
    {
        var values = new float[Length];
        Compute.Backend.Download(Data, values);
        return values;
    }

    /// <summary>The value of a tensor of one element. Waits for the device.</summary>
    public float Item() =>
        Length == 1 ? ToArray()[0] : throw new InvalidOperationException($"item: the tensor has shape {Shape}, not one element");

    /// <summary>Copies the gradient to the host; zeros when there is none.</summary>
    public float[] GradientToArray()
    {
        var values = new float[Length];
        if (!Gradient.IsAbsent)
            Compute.Backend.Download(Gradient, values);
        return values;
    }

    public override string ToString() => $"tensor {Shape}";

    public static Tensor operator +(Tensor a, Tensor b) => Ops.Add(a, b);
    public static Tensor operator -(Tensor a, Tensor b) => Ops.Subtract(a, b);
    public static Tensor operator *(Tensor a, Tensor b) => Ops.Multiply(a, b);
    public static Tensor operator /(Tensor a, Tensor b) => Ops.Divide(a, b);
    public static Tensor operator -(Tensor a) => Ops.Negate(a);
    public static Tensor operator +(Tensor a, float b) => Ops.AddScalar(a, b);
    public static Tensor operator +(float a, Tensor b) => Ops.AddScalar(b, a);
    public static Tensor operator -(Tensor a, float b) => Ops.AddScalar(a, -b);
    public static Tensor operator -(float a, Tensor b) => Ops.AddScalar(Ops.Negate(b), a);
    public static Tensor operator *(Tensor a, float b) => Ops.Scale(a, b);
    public static Tensor operator *(float a, Tensor b) => Ops.Scale(b, a);
    public static Tensor operator /(Tensor a, float b) => Ops.Scale(a, 1 / b);
}
