using ILGPU;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Types;
using ILGPU.IR.Values;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Arithmetic with a stated rounding, and what threads of a group need to wait for each other. The C# bodies run on the simulator; PTX and
/// OpenCL come from the table below.
/// </summary>
/// <remarks>
/// ILGPU's own float operations may be contracted by the driver's compiler, its elementary functions are approximate, and on OpenCL a float
/// comparison that feeds a
/// branch loses what it says about NaN: kernels use these instead, and plain operators for integers only.
/// </remarks>
internal static class Intrinsic
{
    [IntrinsicImplementation] public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);
    [IntrinsicImplementation] public static float Add(float a, float b) => a + b;
    [IntrinsicImplementation] public static float Sub(float a, float b) => a - b;
    [IntrinsicImplementation] public static float Mul(float a, float b) => a * b;
    [IntrinsicImplementation] public static float Div(float a, float b) => a / b;
    [IntrinsicImplementation] public static float Sqrt(float a) => MathF.Sqrt(a);

    /// <summary>To the nearest integer, ties to even.</summary>
    [IntrinsicImplementation] public static float Round(float a) => MathF.Round(a, MidpointRounding.ToEven);

    /// <summary>a &lt; b, false beside NaN, in any kind of branch.</summary>
    [IntrinsicImplementation] public static bool Less(float a, float b) => a < b;

    /// <summary>
    /// Waits for the group's other threads; what each wrote before, to shared or global memory, is seen by all behind it. No thread of a
    /// group may leave out a barrier.
    /// </summary>
    [IntrinsicImplementation] public static void Barrier() => Group.Barrier();

    /// <summary>What this thread wrote to global memory is seen by other groups before whatever it writes next.</summary>
    [IntrinsicImplementation] public static void Fence() => Thread.MemoryBarrier();

    /// <summary>Adds to a counter in global memory that other groups count in too; returns what it was.</summary>
    [IntrinsicImplementation] public static int Count(ref int counter, int x) => Atomic.Add(ref counter, x);

    /// <summary>Raises an entry of global memory, which other threads of the group raise too, to at least x; returns what it was.</summary>
    [IntrinsicImplementation] public static int Raise(ref int entry, int x) => Atomic.Max(ref entry, x);

    /// <summary>Each by its name: the instruction in PTX, and the function or operator in OpenCL C.</summary>
    private static readonly Dictionary<string, (string Ptx, string Cl)> Instructions = new()
    {
        [nameof(Fma)] = ("fma.rn.f32", "fma"),
        [nameof(Add)] = ("add.rn.f32", "+"),
        [nameof(Sub)] = ("sub.rn.f32", "-"),
        // A product written as fma(a, b, -0) has the same value and cannot be contracted with an addition, which OpenCL C allows for a * b.
        [nameof(Mul)] = ("mul.rn.f32", "fma"),
        [nameof(Div)] = ("div.rn.f32", "/"),
        [nameof(Sqrt)] = ("sqrt.rn.f32", "sqrt"),
        [nameof(Round)] = ("cvt.rni.f32.f32", "rint"),
        [nameof(Less)] = ("setp.lt.f32", "<"),
        [nameof(Barrier)] = ("bar.sync", "barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)"),
        [nameof(Fence)] = ("membar.gl", "mem_fence(CLK_GLOBAL_MEM_FENCE)"),
        [nameof(Count)] = ("atom.global.add.u32", "atomic_add"),
        [nameof(Raise)] = ("atom.global.max.s32", "atomic_max"),
    };

    /// <summary>Tells a context how each of these is written in PTX and in OpenCL C.</summary>
    public static Context.Builder EnableIntrinsics(this Context.Builder builder)
    {
        var manager = builder.GetIntrinsicManager();
        foreach (string name in Instructions.Keys)
        {
            var method = typeof(Intrinsic).GetMethod(name)!;
            manager.RegisterMethod(method, new PTXIntrinsic(((Delegate)Ptx).Method, IntrinsicImplementationMode.GenerateCode));
            manager.RegisterMethod(method, new CLIntrinsic(((Delegate)Cl).Method, IntrinsicImplementationMode.GenerateCode));
        }
        return builder;
    }

    private static bool IsAddress(Value operand) => operand.Type is AddressSpaceType;

    // Called by ILGPU, which fixes the parameters.
#pragma warning disable IDE0060
    private static void Ptx(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        var operands = new PTXRegisterAllocator.PrimitiveRegister[call.Count];
        for (int i = 0; i < operands.Length; i++)
            operands[i] = generator.LoadPrimitive(call[i]);
        var target = call.Type.IsVoidType ? null : generator.AllocateHardware(value);
        using var command = generator.BeginCommand(Instructions[call.Target.Source.Name].Ptx);
        if (target is not null)
            command.AppendArgument(target);
        for (int i = 0; i < operands.Length; i++)
            if (IsAddress(call[i]))
                command.AppendArgumentValue((PTXRegisterAllocator.HardwareRegister)operands[i]);
            else
                command.AppendArgument(operands[i]);
        if (call.Target.Source.Name == nameof(Barrier))
            command.AppendConstant(0);
    }

    private static void Cl(CLBackend backend, CLCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        string name = call.Target.Source.Name, function = Instructions[name].Cl;
        var operands = new CLCodeGenerator.Variable[call.Count];
        for (int i = 0; i < operands.Length; i++)
            operands[i] = generator.Load(call[i]);
        if (call.Type.IsVoidType)
        {
            using var alone = generator.BeginStatement(function);
            return;
        }
        var target = generator.Allocate(value);
        using var statement = generator.BeginStatement(target);
        if (!char.IsLetter(function[0]))
        {
            statement.Append(operands[0]);
            statement.AppendCommand(function);
            statement.Append(operands[1]);
            return;
        }
        statement.AppendCommand(function);
        statement.BeginArguments();
        for (int i = 0; i < operands.Length; i++)
        {
            statement.AppendArgument();
            if (IsAddress(call[i]))
                statement.AppendCast("volatile __global int*");
            statement.Append(operands[i]);
        }
        if (name == nameof(Mul))
        {
            statement.AppendArgument();
            statement.AppendConstant(-0f);
        }
        statement.EndArguments();
    }
#pragma warning restore IDE0060
}
