using ILGPU;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Values;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>
/// Arithmetic with a stated rounding, and what threads of a group need to wait for each other. The C# bodies run on the simulator; PTX and
/// OpenCL come from the
/// generators below.
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

    /// <summary>Adds 1 to a counter in global memory that other groups count in too; returns what it was.</summary>
    [IntrinsicImplementation] public static int Increment(ref int counter) => Atomic.Add(ref counter, 1);

    /// <summary>Raises an entry of global memory, which other threads of the group raise too, to at least x.</summary>
    [IntrinsicImplementation] public static void Raise(ref int entry, int x) => Atomic.Max(ref entry, x);

    private static readonly string[] Names =
        [nameof(Fma), nameof(Add), nameof(Sub), nameof(Mul), nameof(Div), nameof(Sqrt), nameof(Round), nameof(Less), nameof(Barrier),
        nameof(Fence), nameof(Increment), nameof(Raise)];

    /// <summary>Tells a context how each of these is written in PTX and in OpenCL C.</summary>
    public static Context.Builder EnableIntrinsics(this Context.Builder builder)
    {
        var manager = builder.GetIntrinsicManager();
        foreach (string name in Names)
        {
            var method = typeof(Intrinsic).GetMethod(name)!;
            manager.RegisterMethod(method, new PTXIntrinsic(typeof(Ptx).GetMethod(name)!, IntrinsicImplementationMode.GenerateCode));
            manager.RegisterMethod(method, new CLIntrinsic(typeof(Cl).GetMethod(name)!, IntrinsicImplementationMode.GenerateCode));
        }
        return builder;
    }

    // Found by name and called by ILGPU, which fixes the parameters.
#pragma warning disable IDE0060
    private static class Ptx
    {
        public static void Fma(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "fma.rn.f32");
        public static void Add(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "add.rn.f32");
        public static void Sub(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "sub.rn.f32");
        public static void Mul(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "mul.rn.f32");
        public static void Div(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "div.rn.f32");
        public static void Sqrt(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "sqrt.rn.f32");
        public static void Round(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "cvt.rni.f32.f32");
        public static void Less(PTXBackend backend, PTXCodeGenerator generator, Value value) => Emit(generator, value, "setp.lt.f32");

        public static void Barrier(PTXBackend backend, PTXCodeGenerator generator, Value value)
        {
            using var command = generator.BeginCommand("bar.sync");
            command.AppendConstant(0);
        }

        public static void Fence(PTXBackend backend, PTXCodeGenerator generator, Value value)
        {
            using var command = generator.BeginCommand("membar.gl");
        }

        public static void Increment(PTXBackend backend, PTXCodeGenerator generator, Value value)
        {
            var counter = generator.LoadHardware(((MethodCall)value)[0]);
            var target = generator.AllocateHardware(value);
            using var command = generator.BeginCommand("atom.global.add.u32");
            command.AppendArgument(target);
            command.AppendArgumentValue(counter);
            command.AppendConstant(1L);
        }

        public static void Raise(PTXBackend backend, PTXCodeGenerator generator, Value value)
        {
            var call = (MethodCall)value;
            var (entry, x) = (generator.LoadHardware(call[0]), generator.LoadPrimitive(call[1]));
            using var command = generator.BeginCommand("red.global.max.s32");
            command.AppendArgumentValue(entry);
            command.AppendArgument(x);
        }

        private static void Emit(PTXCodeGenerator generator, Value value, string instruction)
        {
            var call = (MethodCall)value;
            var operands = new PTXRegisterAllocator.PrimitiveRegister[call.Count];
            for (int i = 0; i < operands.Length; i++)
                operands[i] = generator.LoadPrimitive(call[i]);
            var target = generator.AllocateHardware(value);
            using var command = generator.BeginCommand(instruction);
            command.AppendArgument(target);
            foreach (var operand in operands)
                command.AppendArgument(operand);
        }
    }

    private static class Cl
    {
        public static void Fma(CLBackend backend, CLCodeGenerator generator, Value value) => Call(generator, value, "fma");
        public static void Add(CLBackend backend, CLCodeGenerator generator, Value value) => Infix(generator, value, "+");
        public static void Sub(CLBackend backend, CLCodeGenerator generator, Value value) => Infix(generator, value, "-");
        public static void Div(CLBackend backend, CLCodeGenerator generator, Value value) => Infix(generator, value, "/");
        public static void Less(CLBackend backend, CLCodeGenerator generator, Value value) => Infix(generator, value, "<");
        public static void Sqrt(CLBackend backend, CLCodeGenerator generator, Value value) => Call(generator, value, "sqrt");
        public static void Round(CLBackend backend, CLCodeGenerator generator, Value value) => Call(generator, value, "rint");

        /// <summary>
        /// A product written as fma(a, b, -0) has the same value and cannot be contracted with an addition, which OpenCL C allows for a *
        /// b.
        /// </summary>
        public static void Mul(CLBackend backend, CLCodeGenerator generator, Value value)
        {
            var call = (MethodCall)value;
            var (a, b) = (generator.Load(call[0]), generator.Load(call[1]));
            var target = generator.Allocate(value);
            using var statement = generator.BeginStatement(target);
            statement.AppendCommand("fma");
            statement.BeginArguments();
            statement.AppendArgument(a);
            statement.AppendArgument(b);
            statement.AppendArgument();
            statement.AppendConstant(-0f);
            statement.EndArguments();
        }

        public static void Barrier(CLBackend backend, CLCodeGenerator generator, Value value)
        {
            using var statement = generator.BeginStatement("barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)");
        }

        public static void Fence(CLBackend backend, CLCodeGenerator generator, Value value)
        {
            using var statement = generator.BeginStatement("mem_fence(CLK_GLOBAL_MEM_FENCE)");
        }

        public static void Increment(CLBackend backend, CLCodeGenerator generator, Value value)
        {
            var counter = generator.Load(((MethodCall)value)[0]);
            var target = generator.Allocate(value);
            using var statement = generator.BeginStatement(target);
            statement.AppendCommand("atomic_inc");
            statement.BeginArguments();
            statement.AppendArgument();
            statement.AppendCast("volatile __global int*");
            statement.Append(counter);
            statement.EndArguments();
        }

        public static void Raise(CLBackend backend, CLCodeGenerator generator, Value value)
        {
            var call = (MethodCall)value;
            var (entry, x) = (generator.Load(call[0]), generator.Load(call[1]));
            using var statement = generator.BeginStatement("atomic_max");
            statement.BeginArguments();
            statement.AppendArgument();
            statement.AppendCast("volatile __global int*");
            statement.Append(entry);
            statement.AppendArgument(x);
            statement.EndArguments();
        }

        private static void Call(CLCodeGenerator generator, Value value, string function)
        {
            var call = (MethodCall)value;
            var operands = new CLCodeGenerator.Variable[call.Count];
            for (int i = 0; i < operands.Length; i++)
                operands[i] = generator.Load(call[i]);
            var target = generator.Allocate(value);
            using var statement = generator.BeginStatement(target);
            statement.AppendCommand(function);
            statement.BeginArguments();
            foreach (var operand in operands)
                statement.AppendArgument(operand);
            statement.EndArguments();
        }

        private static void Infix(CLCodeGenerator generator, Value value, string symbol)
        {
            var call = (MethodCall)value;
            var (a, b) = (generator.Load(call[0]), generator.Load(call[1]));
            var target = generator.Allocate(value);
            using var statement = generator.BeginStatement(target);
            statement.Append(a);
            statement.AppendCommand(symbol);
            statement.Append(b);
        }
    }
#pragma warning restore IDE0060
}
