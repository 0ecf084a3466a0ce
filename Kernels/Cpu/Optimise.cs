using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Optimiser steps in one pass over parameters, gradients and moments, which also sums the gradients' squares.</summary>
internal sealed unsafe partial class CpuBackend
{
    public void Adam(Slice<float> parameters, Slice<float> gradients, Slice<float> m, Slice<float> v, AdamConstants constants,
        Slice<float> hyper, Slice<float> squaredNorm)
    {
        int n = parameters.Length;
        Require.Adam(parameters, gradients, m, v, hyper);
        var squares = Squares(n);
        float rate = hyper.Pointer[0], correction1 = hyper.Pointer[1], correction2 = hyper.Pointer[2];
        ForEach(Parts(n), new AdamJob(parameters.Pointer, gradients.Pointer, m.Pointer, v.Pointer, n, constants,
            rate / correction1, 1 / MathF.Sqrt(correction2), 1 - rate * constants.DecoupledWeightDecay, squares));
        AddSquares(squares, n, squaredNorm);
    }

    public void RmsProp(Slice<float> parameters, Slice<float> gradients, Slice<float> v, float alpha, float epsilon,
        Slice<float> hyper, Slice<float> squaredNorm)
    {
        int n = parameters.Length;
        Require.Step("rmsprop", "moment", parameters, gradients, v, hyper);
        var squares = Squares(n);
        ForEach(Parts(n), new RmsPropJob(parameters.Pointer, gradients.Pointer, v.Pointer, n, alpha, epsilon,
            hyper.Pointer[0], squares));
        AddSquares(squares, n, squaredNorm);
    }

    public void Sgd(Slice<float> parameters, Slice<float> gradients, Slice<float> velocity, float momentum, float weightDecay,
        Slice<float> hyper, Slice<float> squaredNorm)
    {
        int n = parameters.Length;
        Require.Step("sgd", "velocity", parameters, gradients, velocity, hyper);
        var squares = Squares(n);
        ForEach(Parts(n), new SgdJob(parameters.Pointer, gradients.Pointer, velocity.Pointer, n, momentum, weightDecay,
            hyper.Pointer[0], squares));
        AddSquares(squares, n, squaredNorm);
    }

    /// <summary>Room for the sum of the gradients' squares in each part.</summary>
    private double* Squares(int n) => (double*)partialSums.Reserve(2L * Parts(n));

    /// <summary>Adds the sums of all parts, in order, to the norm where one is asked for.</summary>
    private static void AddSquares(double* squares, int n, Slice<float> squaredNorm)
    {
        if (squaredNorm.IsAbsent)
            return;
        double total = squaredNorm.Pointer[0];
        for (int part = 0; part < Parts(n); part++)
            total += squares[part];
        squaredNorm.Pointer[0] = (float)total;
    }

    /// <param name="step">Learning rate / (1 - beta1^t).</param>
    /// <param name="rootScale">1 / sqrt(1 - beta2^t).</param>
    /// <param name="keep">What decoupled weight decay leaves of a parameter.</param>
    private readonly struct AdamJob(float* p, float* g, float* m, float* v, int length, AdamConstants constants, float step,
        float rootScale, float keep, double* squares) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int i = part * ElementwiseChunk, end = Math.Min(length - i, ElementwiseChunk) + i;
            V b1 = V.Broadcast(constants.Beta1), c1 = V.Broadcast(1 - constants.Beta1), b2 = V.Broadcast(constants.Beta2),
                c2 = V.Broadcast(1 - constants.Beta2);
            V rate = V.Broadcast(step), root = V.Broadcast(rootScale), left = V.Broadcast(keep), epsilon = V.Broadcast(constants.Epsilon);
            V high = V.Broadcast(0f), low = high;
            for (; i < end; i += IVector<V>.Lanes)
            {
                int count = Math.Min(end - i, IVector<V>.Lanes);
                V gradient = Lanes.LoadUpTo<V>(g + i, count);
                V first = Lanes.LoadUpTo<V>(m + i, count), second = Lanes.LoadUpTo<V>(v + i, count);
                V next = OptimiserStep.Adam(Lanes.LoadUpTo<V>(p + i, count), gradient, ref first, ref second, b1, c1, b2, c2, epsilon, rate,
                    root, left);
                Lanes.StoreUpTo(first, m + i, count);
                Lanes.StoreUpTo(second, v + i, count);
                Lanes.StoreUpTo(next, p + i, count);
                TwoSum.Add(ref high, ref low, gradient * gradient);
            }
            squares[part] = PairSum.Total(high, low);
        }
    }

    private readonly struct RmsPropJob(float* p, float* g, float* v, int length, float alpha, float epsilon, float rate,
        double* squares) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int i = part * ElementwiseChunk, end = Math.Min(length - i, ElementwiseChunk) + i;
            V a = V.Broadcast(alpha), b = V.Broadcast(1 - alpha), e = V.Broadcast(epsilon), step = V.Broadcast(rate);
            V high = V.Broadcast(0f), low = high;
            for (; i < end; i += IVector<V>.Lanes)
            {
                int count = Math.Min(end - i, IVector<V>.Lanes);
                V gradient = Lanes.LoadUpTo<V>(g + i, count);
                V second = Lanes.LoadUpTo<V>(v + i, count);
                V next = OptimiserStep.RmsProp(Lanes.LoadUpTo<V>(p + i, count), gradient, ref second, a, b, e, step);
                Lanes.StoreUpTo(second, v + i, count);
                Lanes.StoreUpTo(next, p + i, count);
                TwoSum.Add(ref high, ref low, gradient * gradient);
            }
            squares[part] = PairSum.Total(high, low);
        }
    }

    private readonly struct SgdJob(float* p, float* g, float* u, int length, float momentum, float weightDecay, float rate,
        double* squares) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int i = part * ElementwiseChunk, end = Math.Min(length - i, ElementwiseChunk) + i;
            V mu = V.Broadcast(momentum), decay = V.Broadcast(weightDecay), step = V.Broadcast(rate);
            V high = V.Broadcast(0f), low = high;
            for (; i < end; i += IVector<V>.Lanes)
            {
                int count = Math.Min(end - i, IVector<V>.Lanes);
                V velocity = Lanes.LoadUpTo<V>(u + i, count);
                V gradient = Lanes.LoadUpTo<V>(g + i, count);
                V next = OptimiserStep.Sgd(Lanes.LoadUpTo<V>(p + i, count), gradient, ref velocity, mu, decay, step);
                Lanes.StoreUpTo(velocity, u + i, count);
                Lanes.StoreUpTo(next, p + i, count);
                TwoSum.Add(ref high, ref low, gradient * gradient);
            }
            squares[part] = PairSum.Total(high, low);
        }
    }
}
