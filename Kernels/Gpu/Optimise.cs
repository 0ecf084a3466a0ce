using ILGPU;
using VaeFromScratch.Kernels.Functions;

namespace VaeFromScratch.Kernels.Gpu;

/// <summary>Optimiser steps in one pass over parameters, gradients and moments, which also sums the gradients' squares.</summary>
internal sealed partial class GpuBackend
{
    public void Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, AdamConstants constants,
        Slice<float> hyper, Slice<float> squaredNorm) =>
        Optimise<Adam>(Require.Adam(parameters, gradients, m, v, hyper), parameters, gradients, m, v, hyper, squaredNorm,
            constants.Beta1, constants.Beta2, constants.Epsilon, constants.DecoupledWeightDecay);

    public void RmsProp(Slice<float> parameters, Slice<float> gradients, Slice<float> v, float alpha, float epsilon, Slice<float> hyper,
        Slice<float> squaredNorm) =>
        Optimise<RmsProp>(Require.Step("rmsprop", "moment", parameters, gradients, v, hyper), parameters, gradients, v, v,
            hyper, squaredNorm, alpha, 0, epsilon, 0);

    public void Sgd(Slice<float> parameters, Slice<float> gradients, Slice<float> velocity, float momentum, float weightDecay,
        Slice<float> hyper, Slice<float> squaredNorm) =>
        Optimise<Sgd>(Require.Step("sgd", "velocity", parameters, gradients, velocity, hyper), parameters, gradients, velocity,
            velocity, hyper, squaredNorm, momentum, 0, 0, weightDecay);

    private void Optimise<S>(int n, Slice<float> p, Slice<float> g, Slice<float> m, Slice<float> v, Slice<float> hyper,
        Slice<float> squaredNorm, float first, float beta2, float epsilon, float weightDecay) where S : struct, IStep =>
        Reduce<Optimise<S>, OptimiserArguments, Pair>(new(View(p), View(g), View(m), View(v), View(hyper), View(squaredNorm),
            squaredNorm.IsAbsent ? 0 : 1, first, beta2, epsilon, weightDecay), Strips.Of(1, n, 1), Threads.PerGroup);
}

/// <param name="First">Beta1, RMSprop's alpha or SGD's momentum.</param>
internal readonly record struct OptimiserArguments(ArrayView<float> P, ArrayView<float> G, ArrayView<float> M, ArrayView<float> V,
    ArrayView<float> Hyper, ArrayView<float> SquaredNorm, int HasNorm, float First, float Beta2, float Epsilon, float WeightDecay);

/// <summary>What becomes of parameter i and its moments.</summary>
internal interface IStep
{
    static abstract void Of(OptimiserArguments a, int i, Lane gradient);
}

/// <summary>The sum of the gradients' squares, with a step for each parameter on the way.</summary>
internal readonly struct Optimise<S> : IReduction<OptimiserArguments, Pair> where S : struct, IStep
{
    public static Pair Of(OptimiserArguments a, Strip strip)
    {
        Pair squares = default;
        for (int i = strip.From; i < strip.End; i += strip.Step)
        {
            Lane gradient = a.G[i];
            S.Of(a, i, gradient);
            squares.Add(gradient * gradient);
        }
        return strip.Strips.Fold<Pair, Pair>(squares);
    }

    public static Pair OfParts(Strips strips, ArrayView<Pair> partial, int slot, int count) =>
        strips.FoldParts<Pair, Pair>(partial, slot, count);

    public static void Store(OptimiserArguments a, Strip strip, Pair result)
    {
        if (a.HasNorm != 0)
            Gpu.Store.To(a.SquaredNorm, 0, result.Total, accumulate: 1);
    }
}

internal readonly struct Adam : IStep
{
    public static void Of(OptimiserArguments a, int i, Lane gradient)
    {
        Lane one = 1f, rate = a.Hyper[0], step = rate / a.Hyper[1], root = one / Lane.Sqrt(a.Hyper[2]), first = a.M[i], second = a.V[i];
        a.P[i] = OptimiserStep.Adam<Lane>(a.P[i], gradient, ref first, ref second, a.First, one - a.First, a.Beta2, one - a.Beta2,
            a.Epsilon, step, root, one - rate * a.WeightDecay);
        a.M[i] = first;
        a.V[i] = second;
    }
}

internal readonly struct RmsProp : IStep
{
    public static void Of(OptimiserArguments a, int i, Lane gradient)
    {
        Lane second = a.V[i];
        a.P[i] = OptimiserStep.RmsProp<Lane>(a.P[i], gradient, ref second, a.First, (Lane)1f - a.First, a.Epsilon, a.Hyper[0]);
        a.V[i] = second;
    }
}

internal readonly struct Sgd : IStep
{
    public static void Of(OptimiserArguments a, int i, Lane gradient)
    {
        Lane velocity = a.V[i];
        a.P[i] = OptimiserStep.Sgd<Lane>(a.P[i], gradient, ref velocity, a.First, a.WeightDecay, a.Hyper[0]);
        a.V[i] = velocity;
    }
}
