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
        Slice<float> squaredNorm, float first, float beta2, float epsilon, float weightDecay) where S : struct, IStep
    {
        int groups = Math.Min(Groups(n, Threads.PerGroup), EnoughGroups);
        Launch<Optimise<S>, OptimiserArguments>(groups, 1, Threads.PerGroup, 1, new(View(p), View(g), View(m), View(v), View(hyper),
            View(squaredNorm), workspace.Room<Pair>(groups), workspace.Tickets, n, groups, squaredNorm.IsAbsent ? 0 : 1, first, beta2,
            epsilon, weightDecay));
    }
}

/// <param name="First">Beta1, RMSprop's alpha or SGD's momentum.</param>
internal readonly record struct OptimiserArguments(ArrayView<float> P, ArrayView<float> G, ArrayView<float> M, ArrayView<float> V,
    ArrayView<float> Hyper, ArrayView<float> SquaredNorm, ArrayView<Pair> Partial, ArrayView<int> Tickets, int N, int Groups, int HasNorm,
    float First, float Beta2, float Epsilon, float WeightDecay);

/// <summary>What becomes of parameter i and its moments.</summary>
internal interface IStep
{
    static abstract void Of(OptimiserArguments a, int i, Lane gradient);
}

/// <summary>Every thread has each so-manieth parameter; the last group to finish adds the groups' sums of squares in order.</summary>
internal readonly struct Optimise<S> : IKernel<OptimiserArguments> where S : struct, IStep
{
    public static void Run(OptimiserArguments a)
    {
        Pair squares = default;
        for (int i = Threads.Number; i < a.N; i += a.Groups * Threads.PerGroup)
        {
            Lane gradient = a.G[i];
            S.Of(a, i, gradient);
            squares.Add(gradient * gradient);
        }
        squares = Threads.SumAll(squares);
        if (Group.IdxX == 0)
            a.Partial[Grid.IdxX] = squares;
        int parts = Parts.IsLast(a.Tickets, 0, a.Groups) ? a.Groups : 0;
        Pair total = default;
        for (int part = Group.IdxX; part < parts; part += Threads.PerGroup)
            total.Add(a.Partial[part]);
        total = Threads.SumAll(total);
        if (Group.IdxX == 0 && parts > 0 && a.HasNorm != 0)
            Store.To(a.SquaredNorm, 0, total.Total, accumulate: 1);
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
