using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Optimiser steps in one pass over parameters, gradients and moments.</summary>
public sealed partial class GpuBackend
{
    public void Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, AdamConstants constants, Slice<float> hyper) =>
        Each<Adam, OptimiserArguments>(parameters.Length, new(View(parameters), View(gradients), View(m), View(v), View(hyper), parameters.Length,
            constants.Beta1, constants.Beta2, constants.Epsilon, constants.DecoupledWeightDecay));

    public void RmsProp(Slice<float> parameters, Slice<float> gradients, Slice<float> v, float alpha, float epsilon, Slice<float> hyper) =>
        Each<RmsProp, OptimiserArguments>(parameters.Length, new(View(parameters), View(gradients), View(v), View(v), View(hyper), parameters.Length, alpha, 0, epsilon, 0));

    public void Sgd(Slice<float> parameters, Slice<float> gradients, Slice<float> velocity, float momentum, float weightDecay, Slice<float> hyper) =>
        Each<Sgd, OptimiserArguments>(parameters.Length, new(View(parameters), View(gradients), View(velocity), View(velocity), View(hyper), parameters.Length, momentum, 0, 0, weightDecay));
}

/// <param name="First">Beta1, RMSprop's alpha or SGD's momentum.</param>
internal readonly record struct OptimiserArguments(ArrayView<float> P, ArrayView<float> G, ArrayView<float> M, ArrayView<float> V, ArrayView<float> Hyper, int N,
    float First, float Beta2, float Epsilon, float WeightDecay);

internal readonly struct Adam : IKernel<OptimiserArguments>
{
    public static void Run(OptimiserArguments a)
    {
        int i = Threads.Number;
        if (i >= a.N)
            return;
        Lane one = 1f, rate = a.Hyper[0], step = rate / a.Hyper[1], root = one / Lane.Sqrt(a.Hyper[2]), first = a.M[i], second = a.V[i];
        a.P[i] = OptimiserStep.Adam<Lane>(a.P[i], a.G[i], ref first, ref second, a.First, one - a.First, a.Beta2, one - a.Beta2, a.Epsilon, step, root, one - rate * a.WeightDecay);
        a.M[i] = first;
        a.V[i] = second;
    }
}

internal readonly struct RmsProp : IKernel<OptimiserArguments>
{
    public static void Run(OptimiserArguments a)
    {
        int i = Threads.Number;
        if (i >= a.N)
            return;
        Lane second = a.V[i];
        a.P[i] = OptimiserStep.RmsProp<Lane>(a.P[i], a.G[i], ref second, a.First, (Lane)1f - a.First, a.Epsilon, a.Hyper[0]);
        a.V[i] = second;
    }
}

internal readonly struct Sgd : IKernel<OptimiserArguments>
{
    public static void Run(OptimiserArguments a)
    {
        int i = Threads.Number;
        if (i >= a.N)
            return;
        Lane velocity = a.V[i];
        a.P[i] = OptimiserStep.Sgd<Lane>(a.P[i], a.G[i], ref velocity, a.First, a.WeightDecay, a.Hyper[0]);
        a.V[i] = velocity;
    }
}
