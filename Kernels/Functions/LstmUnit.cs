using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Functions;

/// <summary>One unit of a long short-term memory: its four gates after their activations, and what follows from them.</summary>
internal readonly struct LstmUnit<V> where V : struct, IReal<V>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    private readonly V input, forget, candidate, output;

    /// <summary>From the gates before their activations.</summary>
    [MethodImpl(Inline)]
    public LstmUnit(V input, V forget, V candidate, V output)
    {
        this.input = RealMath.Sigmoid(input);
        this.forget = RealMath.Sigmoid(forget);
        this.candidate = RealMath.Tanh(candidate);
        this.output = RealMath.Sigmoid(output);
    }

    /// <summary>The cell state of a first step.</summary>
    [MethodImpl(Inline)] public V FirstState() => input * candidate;

    /// <summary>The cell state of a later one.</summary>
    [MethodImpl(Inline)] public V State(V before) => V.Fma(forget, before, input * candidate);

    [MethodImpl(Inline)] public V Hidden(V state) => output * RealMath.Tanh(state);

    /// <summary>The state's gradient, from that of the hidden value and what later steps have given already.</summary>
    [MethodImpl(Inline)]
    public V ToState(V g, V tanhOfState, V later) =>
        V.Fma(g * output, V.Broadcast(1f) - tanhOfState * tanhOfState, later);

    [MethodImpl(Inline)] public V ToInput(V toState) => toState * candidate * (input * (V.Broadcast(1f) - input));

    [MethodImpl(Inline)] public V ToForget(V toState, V before) => toState * before * (forget * (V.Broadcast(1f) - forget));

    [MethodImpl(Inline)] public V ToCandidate(V toState) => toState * input * (V.Broadcast(1f) - candidate * candidate);

    [MethodImpl(Inline)] public V ToOutput(V g, V tanhOfState) => g * tanhOfState * (output * (V.Broadcast(1f) - output));

    [MethodImpl(Inline)] public V ToBefore(V toState) => toState * forget;
}
