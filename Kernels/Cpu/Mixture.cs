using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Log densities under a mixture of all encodings (equations.md (X1), (X2)), without a rows x components x h array.</summary>
/// <remarks>
/// Lanes are latents. Components are packed once: per strip of 16 latents mean, -1/2 exp(-logVar) and -1/2 (log 2 pi + logVar), so that a
/// pair's log density costs three operations a latent. There is one exponential a pair and latent, relative to the largest term of the
/// blocks of components before, and one rescaling a block where a larger one was found. Marginal densities are sums of powers of two:
/// nothing is reduced by log 2, and beside a sum of 1 or more no result needs to be subnormal. Blocks follow each other in order: the bits
/// do not depend on threads.
/// </remarks>
internal sealed unsafe partial class CpuBackend
{
    private const float LogTwo = 0.693147181f;

    /// <summary>Components a block.</summary>
    private const int MixtureBlock = 128;

    /// <summary>Floats a packed component takes per strip: mean, precision, constant.</summary>
    private const int Packed = 3 * 16;

    public void MixtureLogDensity(MixtureOperands mixture)
    {
        Require.Mixture("mixture_log_density", mixture);
        var packed = PackMixture(mixture, extra: 0, unit: mixture.Marginal.IsAbsent ? 1 : 1 / LogTwo);
        var job = new MixtureJob(packed, mixture.Rows, mixture.Z.Pointer, mixture.Joint.Pointer, mixture.Marginal.Pointer);
        ForEach(job.Parts, job);
    }

    /// <param name="extra">Further floats wanted behind the packed components.</param>
    /// <param name="unit">What a nat is in the log densities: 1, or 1 / log 2 for binary logarithms.</param>
    private PackedMixture PackMixture(MixtureOperands mixture, long extra, float unit = 1)
    {
        var (_, components, h, _, mu, logVar, weights, _, _, ownOffset, pairBias) = mixture;
        int strips = (h + 15) / 16;
        float* packed = working.Reserve((long)strips * components * Packed + extra);
        ForEach(RowParts(components, h), new PackJob(components, h, mu.Pointer, logVar.Pointer, unit, packed));
        return new(components, h, packed, weights, ownOffset, pairBias.Pointer);
    }

    private readonly struct PackJob(int components, int h, float* mu, float* logVar, float unit, float* packed) : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(h), last = Math.Min(components, first + RowsPerPart(h));
            for (int j = first; j < last; j++)
                for (int i = 0, strip = 0; i < h; i += IVector<V>.Lanes, strip++)
                {
                    int count = Math.Min(h - i, IVector<V>.Lanes);
                    nint from = (nint)j * h + i;
                    float* to = packed + ((nint)strip * components + j) * Packed;
                    V log = Lanes.LoadUpTo<V>(logVar + from, count);
                    V.Store(Lanes.LoadUpTo<V>(mu + from, count), to);
                    // Lanes behind the last latent have precision and constant 0: they add nothing to a sum over latents.
                    V.Store(Lanes.Keep(V.Broadcast(unit) * GaussianComponent.Precision(log), count), to + 16);
                    V.Store(Lanes.Keep(V.Broadcast(unit) * GaussianComponent.Constant(log), count), to + 32);
                }
        }
    }

    /// <summary>The components and how pairs are weighted.</summary>
    private readonly struct PackedMixture(int components, int h, float* packed, PairLogWeights weights, int ownOffset, float* pairBias)
    {
        public readonly int Components = components;
        public readonly int H = h;
        public readonly int Strips = (h + 15) / 16;
        public readonly float OtherWeight = weights.Other;

        /// <summary>What follows the packed components in working memory.</summary>
        public float* Behind => packed + (nint)Strips * Components * Packed;

        public float* Component(int strip, int j) => packed + ((nint)strip * Components + j) * Packed;

        public V Latents<V>(float* row, int strip) where V : struct, IVector<V> =>
            strip * 16 + 16 <= H ? V.Load(row + strip * 16) : V.LoadPart(row + strip * 16, H - strip * 16);

        /// <summary>Log weights of components [first, first + count) for a row.</summary>
        public void Weights(int row, int first, int count, float* to)
        {
            new Span<float>(to, count).Fill(weights.Other);
            int own = row + ownOffset, next = (own + 1) % Components;
            if (next >= first && next < first + count)
                to[next - first] = weights.Next;
            if (own >= first && own < first + count)
                to[own - first] = weights.Own;
        }

        /// <summary>
        /// Log weights relative to <see cref="OtherWeight"/> as binary logarithms, of components [first, first + count) for a row; false
        /// where all are 0, as they are in most blocks.
        /// </summary>
        public bool RelativeWeights(int row, int first, int count, float* to)
        {
            int own = row + ownOffset - first, next = (row + ownOffset + 1) % Components - first;
            bool any = weights.Own != weights.Other && own >= 0 && own < count
                || weights.Next != weights.Other && next >= 0 && next < count;
            if (any)
            {
                Weights(row, first, count, to);
                for (int j = 0; j < count; j++)
                    to[j] = (to[j] - weights.Other) / LogTwo;
            }
            return any;
        }

        /// <summary>sum over h of log N(z | component j), for components [first, first + count).</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void LogDensities<V>(float* row, int first, int count, float* to) where V : struct, IVector<V>
        {
            nint stride = (nint)Components * Packed;
            for (int j = 0; j < count; j++)
            {
                float* component = Component(0, first + j);
                V sum = V.Broadcast(0f);
                for (int strip = 0; strip < Strips; strip++, component += stride)
                    sum += GaussianComponent.LogDensity(Latents<V>(row, strip), V.Load(component), V.Load(component + 16),
                        V.Load(component + 32));
                to[j] = (float)V.SumLanes(sum);
            }
        }

        /// <summary>Adds log weights and the pair bias to a row's log densities.</summary>
        public void AddWeights(int row, int first, int count, float* weight, float* to)
        {
            float* bias = pairBias == null ? null : pairBias + (nint)row * Components + first;
            for (int j = 0; j < count; j++)
                to[j] += weight[j] + (bias == null ? 0 : bias[j]);
        }
    }

    /// <summary>log sum exp over blocks that come one after the other.</summary>
    private struct StreamingLogSumExp()
    {
        private double sum;
        private float max = float.NegativeInfinity;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add<V>(float* terms, int count) where V : struct, IVector<V>
        {
            float larger = MathF.Max(max, V.MaxLanes(Rows.Largest<V>(terms, count))), shift = Rows.Shift(larger);
            V s = V.Broadcast(shift), total = V.Broadcast(0f);
            for (int i = 0; i < count; i += IVector<V>.Lanes)
                total += RealMath.Exp(
                    Lanes.LoadPartOr(terms + i, Math.Min(count - i, IVector<V>.Lanes), V.Broadcast(float.NegativeInfinity)) - s);
            sum = sum * Math.Exp(max - shift) + V.SumLanes(total);
            max = larger;
        }

        public readonly float Value => (float)(Rows.Shift(max) + Math.Log(sum));
    }

    private readonly struct MixtureJob(PackedMixture mixture, int rows, float* z, float* joint, float* marginal) : ILaneJob
    {
        private const int MostRows = 16;
        private const int StateFloats = 32;

        // How far a term may lie above the largest before its block: the exponentials of a whole block of them add up to 1e37.
        private const float MostRise = 115;

        // A block of components stays in the second-level cache while a tile of rows passes over it; the tile's running maxima and sums are
        // on the stack.
        private readonly int tile = Math.Max(1, Math.Min(MostRows, 512 / mixture.Strips));

        public int Parts => (rows + tile - 1) / tile;

        [SkipLocalsInit]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * tile, count = Math.Min(tile, rows - first);
            float* state = stackalloc float[marginal == null ? 0 : count * mixture.Strips * StateFloats];
            var totals = stackalloc StreamingLogSumExp[MostRows];
            float* weight = stackalloc float[3 * MixtureBlock];
            float* relative = weight + MixtureBlock, density = relative + MixtureBlock;
            float* sums = stackalloc float[MixtureBlock * 16];
            for (int r = 0; r < count; r++)
                totals[r] = new();
            if (marginal != null)
                for (int k = 0; k < count * mixture.Strips; k++)
                {
                    V.Store(V.Broadcast(float.NegativeInfinity), state + k * StateFloats);
                    V.Store(V.Broadcast(0f), state + k * StateFloats + 16);
                }
            for (int j = 0; j < mixture.Components; j += MixtureBlock)
            {
                int block = Math.Min(MixtureBlock, mixture.Components - j);
                for (int r = 0; r < count; r++)
                {
                    float* row = z + (nint)(first + r) * mixture.H;
                    mixture.Weights(first + r, j, block, weight);
                    if (marginal == null)
                        mixture.LogDensities<V>(row, j, block, density);
                    else
                    {
                        float* differing = mixture.RelativeWeights(first + r, j, block, relative) ? relative : null;
                        for (int strip = 0; strip < mixture.Strips; strip++)
                            Strip(mixture.Latents<V>(row, strip), mixture.Component(strip, j), block, differing, strip == 0, sums,
                                state + (r * mixture.Strips + strip) * StateFloats);
                        if (joint != null)
                            for (int k = 0; k < block; k++)
                                density[k] = (float)(LogTwo * V.SumLanes(V.Load(sums + k * 16)));
                    }
                    if (joint == null)
                        continue;
                    mixture.AddWeights(first + r, j, block, weight, density);
                    totals[r].Add<V>(density, block);
                }
            }
            for (int r = 0; r < count; r++)
            {
                if (joint != null)
                    joint[first + r] = totals[r].Value;
                for (int strip = 0; marginal != null && strip < mixture.Strips; strip++)
                {
                    float* s = state + (r * mixture.Strips + strip) * StateFloats;
                    V value = V.Fma(V.Broadcast(LogTwo), FiniteOrZero(V.Load(s)), RealMath.Log(V.Load(s + 16)))
                        + V.Broadcast(mixture.OtherWeight);
                    V.StorePart(value, marginal + (nint)(first + r) * mixture.H + strip * 16, Math.Min(16, mixture.H - strip * 16));
                }
            }
        }

        /// <summary>Takes a block of components into 16 latents' running maximum and sum, and into the pairs' sums over latents.</summary>
        /// <remarks>
        /// Exponentials are taken relative to the maximum before this block, while its own is found; only where it is larger by so much
        /// that a sum could overflow, as in the first block, they are taken once more.
        /// </remarks>
        /// <param name="weight">Relative log weights of the components; null where all are 0.</param>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Strip<V>(V latents, float* component, int block, float* weight, bool firstStrip, float* sums, float* state)
            where V : struct, IVector<V>
        {
            V oldMax = V.Load(state), shift = FiniteOrZero(oldMax);
            V total = (firstStrip, weight == null) switch
            {
                (true, true) => Terms<V, Yes, No>(latents, component, block, weight, sums, state, shift),
                (true, false) => Terms<V, Yes, Yes>(latents, component, block, weight, sums, state, shift),
                (false, true) => Terms<V, No, No>(latents, component, block, weight, sums, state, shift),
                (false, false) => Terms<V, No, Yes>(latents, component, block, weight, sums, state, shift),
            };
            V max = V.Load(state), newShift = FiniteOrZero(max);
            float rise = V.MaxLanes(newShift - oldMax);
            if (rise <= MostRise)
            {
                total += V.Load(state + 16);
                V.Store(rise == 0 ? total : total * Power(shift - newShift), state + 16);
                return;
            }
            total = V.Broadcast(0f);
            for (int k = 0; k < block; k++)
                total += Power(Density(latents, component + k * Packed) + V.Broadcast(weight == null ? 0 : weight[k]) - newShift);
            V.Store(V.Fma(V.Load(state + 16), Power(oldMax - newShift), total), state + 16);
        }

        /// <summary>2^x for any x.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Power<V>(V x) where V : struct, IVector<V> => RealMath.Exp(V.Broadcast(LogTwo) * x);

        /// <summary>
        /// The sum of a block's exponentials, four of them abreast where there are registers for it; their largest term goes to
        /// <paramref name="state"/>. By itself, as the compiler inlines only so much into one method.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static V Terms<V, First, Weighted>(V latents, float* component, int count, float* weight, float* sums, float* state,
            V shift) where V : struct, IVector<V> where First : ISwitch where Weighted : ISwitch
        {
            V max = V.Load(state), even = V.Broadcast(0f), odd = even;
            int k = 0;
            if (Vector512.IsHardwareAccelerated)
                for (; k + 4 <= count; k += 4, component += 4 * Packed, sums += 64)
                {
                    V t0 = Term<V, First, Weighted>(latents, component, sums, weight + k, ref max),
                        t1 = Term<V, First, Weighted>(latents, component + Packed, sums + 16, weight + k + 1, ref max),
                        t2 = Term<V, First, Weighted>(latents, component + 2 * Packed, sums + 32, weight + k + 2, ref max),
                        t3 = Term<V, First, Weighted>(latents, component + 3 * Packed, sums + 48, weight + k + 3, ref max);
                    var e = RealMath.Exp2OfNormal(new Abreast<Abreast<V>>(new(t0 - shift, t1 - shift), new(t2 - shift, t3 - shift)));
                    even = even + e.A.A + e.B.A;
                    odd = odd + e.A.B + e.B.B;
                }
            for (; k + 2 <= count; k += 2, component += 2 * Packed, sums += 32)
            {
                even += RealMath.Exp2OfNormal(Term<V, First, Weighted>(latents, component, sums, weight + k, ref max) - shift);
                odd += RealMath.Exp2OfNormal(Term<V, First, Weighted>(latents, component + Packed, sums + 16, weight + k + 1, ref max)
                    - shift);
            }
            if (k < count)
                even += RealMath.Exp2OfNormal(Term<V, First, Weighted>(latents, component, sums, weight + k, ref max) - shift);
            V.Store(max, state);
            return even + odd;
        }

        /// <summary>
        /// A component's log density and weight, after its density was stored as the first of a pair's sum over latents or added to it.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Term<V, First, Weighted>(V latents, float* component, float* sums, float* weight, ref V max)
            where V : struct, IVector<V> where First : ISwitch where Weighted : ISwitch
        {
            V density = Density(latents, component);
            V.Store(First.IsOn ? density : V.Load(sums) + density, sums);
            V term = Weighted.IsOn ? density + V.Broadcast(*weight) : density;
            max = V.AtLeast(term, max);
            return term;
        }

        /// <summary>A case that the compiler makes a version of its own for.</summary>
        private interface ISwitch
        {
            static abstract bool IsOn { get; }
        }

        private readonly struct Yes : ISwitch
        {
            public static bool IsOn => true;
        }

        private readonly struct No : ISwitch
        {
            public static bool IsOn => false;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Density<V>(V latents, float* component) where V : struct, IVector<V> =>
            GaussianComponent.LogDensity(latents, V.Load(component), V.Load(component + 16), V.Load(component + 32));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V FiniteOrZero<V>(V max) where V : struct, IVector<V> =>
            V.SelectLess(V.Abs(max), V.Broadcast(float.PositiveInfinity), max, V.Broadcast(0f));
    }
}
