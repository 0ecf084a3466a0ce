using VaeFromScratch.Kernels;

namespace VaeFromScratch;

/// <summary>
/// How a parameter is laid out on disk: memory holds axes <paramref name="Memory"/>; the file holds them in <paramref name="Order"/>,
/// grouped to <paramref name="Disk"/>.
/// </summary>
/// <remarks>
/// Weights in memory are [fan-in axes, outputs] with images NHWC; files hold PyTorch's layouts. Nothing but loading and saving knows the
/// difference.
/// </remarks>
public sealed record DiskLayout(int[] Memory, int[] Order, int[] Disk)
{
    public static DiskLayout Plain(Shape shape) => new(shape.Sizes.ToArray(), [.. Enumerable.Range(0, shape.Rank)], shape.Sizes.ToArray());

    /// <summary>[in, out] in memory, [out, in] on disk.</summary>
    public static DiskLayout Linear(int inputs, int outputs) => new([inputs, outputs], [1, 0], [outputs, inputs]);

    /// <summary>A linear layer that reads a flattened image: [H, W, C, out] in memory, [out, C H W] on disk.</summary>
    public static DiskLayout LinearFromImage(int height, int width, int channels, int outputs) =>
        new([height, width, channels, outputs], [3, 2, 0, 1], [outputs, channels * height * width]);

    /// <summary>A linear layer that writes a flattened image: [in, H, W, C] in memory, [C H W, in] on disk.</summary>
    public static DiskLayout LinearToImage(int inputs, int height, int width, int channels) =>
        new([inputs, height, width, channels], [3, 1, 2, 0], [channels * height * width, inputs]);

    /// <summary>A vector over a flattened image: [H, W, C] in memory, [C H W] on disk.</summary>
    public static DiskLayout Image(int height, int width, int channels) =>
        new([height, width, channels], [2, 0, 1], [channels * height * width]);

    /// <summary>
    /// [kh, kw, I, O] in memory; [O, I, kh, kw] on disk, for a transposed convolution of O to I channels too: PyTorch keeps its input
    /// channels first.
    /// </summary>
    public static DiskLayout Convolution(int kernelHeight, int kernelWidth, int inChannels, int outChannels) =>
        new([kernelHeight, kernelWidth, inChannels, outChannels], [3, 2, 0, 1], [outChannels, inChannels, kernelHeight, kernelWidth]);

    public float[] ToDisk(float[] memory)
    {
        var disk = new float[memory.Length];
        Move(new ToFile(memory, disk));
        return disk;
    }

    public float[] FromDisk(float[] disk)
    {
        var memory = new float[disk.Length];
        Move(new FromFile(memory, disk));
        return memory;
    }

    private interface IMove
    {
        void Element(int memory, int disk);
    }

    private readonly struct ToFile(float[] from, float[] to) : IMove
    {
        public void Element(int memory, int disk) => to[disk] = from[memory];
    }

    private readonly struct FromFile(float[] to, float[] from) : IMove
    {
        public void Element(int memory, int disk) => to[memory] = from[disk];
    }

    /// <summary>Each element by its index in memory and its index on disk.</summary>
    private void Move<M>(M move) where M : struct, IMove
    {
        int rank = Memory.Length, count = Memory.Aggregate(1, (a, b) => a * b);
        if (rank == 0)
        {
            move.Element(0, 0);
            return;
        }
        var stride = new int[rank];
        for (int axis = rank - 1, step = 1; axis >= 0; step *= Memory[axis--])
            stride[axis] = step;
        int last = Memory[Order[^1]], lastStride = stride[Order[^1]];
        var index = new int[rank];
        for (int disk = 0; disk < count;)
        {
            int memory = 0;
            for (int axis = 0; axis < rank - 1; axis++)
                memory += index[axis] * stride[Order[axis]];
            for (int i = 0; i < last; i++, memory += lastStride)
                move.Element(memory, disk++);
            for (int axis = rank - 2; axis >= 0 && ++index[axis] == Memory[Order[axis]]; axis--)
                index[axis] = 0;
        }
    }
}

/// <summary>A named array that a model owns and a file stores: trainable weights, or state such as running statistics.</summary>
public sealed class Parameter
{
    private readonly Func<float, float>? encode, decode;
    private Func<float[]>? initial;
    private Tensor? value;

    /// <param name="name">The name in weight files, PyTorch style: "encoder.fc.weight".</param>
    /// <param name="initial">Initial values in memory layout.</param>
    /// <param name="layout">Layout on disk; the same as in memory by default.</param>
    /// <param name="trainable">Whether an optimiser moves it.</param>
    /// <param name="encode">From the value in memory to the value in files, where they differ; <paramref name="decode"/> is its
    /// inverse.</param>
    public Parameter(string name, Shape shape, float[] initial, DiskLayout? layout = null, bool trainable = true,
        Func<float, float>? encode = null, Func<float, float>? decode = null)
        : this(name, shape, new InitialValues(initial.Length, () => initial), layout, trainable, encode, decode)
    {
    }

    /// <inheritdoc cref="Parameter(string, Shape, float[], DiskLayout, bool, Func{float, float}, Func{float, float})"/>
    public Parameter(string name, Shape shape, InitialValues initial, DiskLayout? layout = null, bool trainable = true, Func<float,
        float>? encode = null, Func<float, float>? decode = null)
    {
        if (initial.Count != shape.Length)
            throw new ShapeException($"parameter {name}", $"{initial.Count} initial values for shape {shape}", $"{shape.Length}");
        (OwnName, Shape, this.initial, Trainable) = (name, shape, initial.Make, trainable);
        Name = name;
        Layout = layout ?? DiskLayout.Plain(shape);
        (this.encode, this.decode) = (encode, decode);
    }

    /// <summary>In weight files: the name that it was made with, or where it stands in a module that has no name.</summary>
    public string Name { get; internal set; }

    internal string OwnName { get; }

    public Shape Shape { get; }

    public bool Trainable { get; }

    public DiskLayout Layout { get; }

    /// <summary>The values on the device. Exists once a <see cref="ParameterArena"/> holds the parameter.</summary>
    public Tensor Value =>
        value ?? throw new InvalidOperationException($"parameter {Name} is not on a device yet: make a ParameterArena of the module first");

    /// <summary>The values as in memory.</summary>
    public float[] ToArray() => value?.ToArray() ?? [.. initial!()];

    /// <summary>Values in the order of the file.</summary>
    public float[] ToDisk()
    {
        var disk = Layout.ToDisk(value?.ToArray() ?? initial!());
        return encode is null ? disk : Array.ConvertAll(disk, v => encode(v));
    }

    /// <summary>Takes values in the order of the file.</summary>
    public void FromDisk(float[] disk)
    {
        if (disk.Length != Shape.Length)
            throw new ShapeException($"parameter {Name}", $"{disk.Length} values for shape {Shape}", $"{Shape.Length}");
        var memory = Layout.FromDisk(decode is null ? disk : Array.ConvertAll(disk, v => decode(v)));
        if (value is null)
            initial = () => memory;
        else
            value.Compute.Backend.Upload<float>(memory, value.Data);
    }

    internal float[] Place(Tensor tensor)
    {
        value = tensor;
        var values = initial!();
        initial = null;
        return values;
    }
}

/// <summary>
/// Parameters side by side in one device buffer, gradients in another, so that an optimiser steps them all with one kernel.
/// </summary>
public sealed class ParameterArena : IDisposable
{
    // 16 floats are 64 bytes: every parameter starts on a cache line.
    private const int Alignment = 16;

    private readonly Compute compute;
    private readonly Parameter[] trainable;

    public ParameterArena(Compute compute, IEnumerable<Parameter> parameters)
    {
        this.compute = compute;
        Parameters = [.. parameters];
        trainable = [.. Parameters.Where(p => p.Trainable)];
        if (Parameters.GroupBy(p => p.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new ArgumentException($"two parameters are named {twice.Key}; ParameterArena.Of names parameters by where they stand");
        CheckRoom();
        Values = Rent(trainable);
        Gradients = Rent(trainable);
        State = Rent(Parameters.Where(p => !p.Trainable));
        Place(trainable, Values, (p, slice, start) => new(compute, p.Shape, slice, Gradients.Part(start, slice.Length)));
        Place(Parameters.Where(p => !p.Trainable), State, (p, slice, _) => new(compute, p.Shape, slice, tape: null, needsGradient: false));
    }

    /// <summary>
    /// The parameters of modules, named by where they stand: of one module "encoder.0.weight"; of several, by their places among them,
    /// "0.encoder.0.weight". Modules that were given names keep them.
    /// </summary>
    public static ParameterArena Of(Compute compute, params IReadOnlyList<Module> modules) => new(compute, Module.Name(modules));

    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>All trainable values, with alignment gaps that are zero.</summary>
    public Slice<float> Values { get; }

    /// <summary>Their gradients, gaps included.</summary>
    public Slice<float> Gradients { get; }

    /// <summary>All values that no optimiser moves, such as running statistics.</summary>
    public Slice<float> State { get; }

    /// <summary>Trainable scalars, gaps excluded.</summary>
    public int Count => trainable.Sum(p => p.Shape.Length);

    /// <summary>While true, these parameters are constants: another arena's networks are being stepped.</summary>
    public bool Frozen
    {
        set
        {
            foreach (var parameter in trainable)
                parameter.Value.Root.Frozen = value;
        }
    }

    /// <summary>
    /// Before an optimiser reads <see cref="Gradients"/>: parameters that nothing reached this step have gradient zero, not last step's.
    /// </summary>
    public void CompleteGradients()
    {
        foreach (var parameter in trainable)
            if (!parameter.Value.HasGradient)
                compute.Backend.Fill(parameter.Value.GradientSink(out _), 0);
    }

    /// <summary>Starts the next step: the first contribution to each gradient overwrites it.</summary>
    public void ClearGradients()
    {
        foreach (var parameter in trainable)
            parameter.Value.ClearGradient(releaseMemory: false);
    }

    public void Dispose()
    {
        compute.Pool.Return(Values);
        compute.Pool.Return(Gradients);
        compute.Pool.Return(State);
    }

    /// <exception cref="DeviceMemoryException">The device has less memory than training these parameters takes.</exception>
    private void CheckRoom()
    {
        // Values, gradients, two moments, and a checkpoint's copies of all but the gradients.
        const long BytesEach = 7 * sizeof(float);
        long count = Parameters.Sum(p => (long)Aligned(p.Shape.Length)), needed = count * BytesEach,
            available = compute.Backend.AvailableBytes;
        if (needed <= available && count <= int.MaxValue)
            return;
        string size =
            FormattableString.Invariant($"{Parameters.Sum(p => (long)p.Shape.Length):N0} parameters takes {needed:N0} bytes to train");
        string limit = needed > available ? FormattableString.Invariant($"{available:N0} are free")
            : $"{int.MaxValue} parameters are the most";
        throw new DeviceMemoryException(
            $"{compute.Name}: a network of {size}, and {limit}; use narrower layers or a smaller code (--network, --latents)");
    }

    private Slice<float> Rent(IEnumerable<Parameter> parameters)
    {
        var slice = compute.Pool.Rent<float>(parameters.Sum(p => Aligned(p.Shape.Length)));
        compute.Backend.Fill(slice, 0);
        return slice;
    }

    private void Place(IEnumerable<Parameter> parameters, Slice<float> into, Func<Parameter, Slice<float>, int, Tensor> make)
    {
        int start = 0;
        foreach (var parameter in parameters)
        {
            var slice = into.Part(start, parameter.Shape.Length);
            compute.Backend.Upload<float>(parameter.Place(make(parameter, slice, start)), slice);
            start += Aligned(parameter.Shape.Length);
        }
    }

    private static int Aligned(int length) => (length + Alignment - 1) / Alignment * Alignment;
}
