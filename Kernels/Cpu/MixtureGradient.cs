using System.Runtime.CompilerServices;
using VaeFromScratch.Kernels.Cpu.Simd;
using VaeFromScratch.Kernels.Functions;
using VaeFromScratch.Kernels.Maths;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>The gradient of the mixture's log densities, by responsibilities.</summary>
/// <remarks>
/// First each pair's share of the joint, gJoint[i] exp(log term - joint[i]), goes to a [rows, components] array. Then a job owns 16 latents
/// and a tile of rows: it walks
/// rows and components in order, so dz is its own and dmu, dlogVar are partial sums of at most four tiles, added in order.
/// </remarks>
internal sealed unsafe partial class CpuBackend
{
    public void MixtureLogDensityGradient(MixtureOperands mixture, Slice<float> gJoint, Slice<float> gMarginal, Slice<float> dz,
        Slice<float> dmu,
        Slice<float> dlogVar, Slice<float> dpairBias)
    {
        Require.MixtureGradient(mixture, gJoint, gMarginal, dz, dmu, dlogVar, dpairBias);
        var (rows, components, h, z, mu, logVar, _, joint, marginal, _, _) = mixture;
        int strips = (h + 15) / 16, tileRows = Math.Max(64, (rows + 3) / 4), tiles = (rows + tileRows - 1) / tileRows;
        long pairs = ((long)rows * components + 15) / 16 * 16, partial = (long)strips * components * 2 * 16;
        var packed = PackMixture(mixture, extra: pairs + tiles * partial);
        float* shares = packed.Behind, partials = shares + pairs;
        if (!gJoint.IsAbsent)
            ForEach(RowParts(rows, components),
                new ShareJob(packed, rows, z.Pointer, joint.Pointer, gJoint.Pointer, shares, dpairBias.Pointer));
        ForEach(strips * tiles, new MixtureGradientJob(packed, rows, tileRows, tiles, z.Pointer, marginal.Pointer, gJoint.IsAbsent ? null
            : shares, gMarginal.Pointer, partials, partial, dz.Pointer));
        ForEach(RowParts(components, h), new AddTilesJob(components, h, tiles, partials, partial, dmu.Pointer, dlogVar.Pointer));
    }

    private readonly struct ShareJob(PackedMixture mixture, int rows, float* z, float* joint, float* gJoint, float* shares,
        float* dpairBias) : ILaneJob
    {
        [SkipLocalsInit]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            float* weight = stackalloc float[MixtureBlock];
            int perPart = RowsPerPart(mixture.Components), last = Math.Min(rows, (part + 1) * perPart);
            for (int r = part * perPart; r < last; r++)
                for (int j = 0; j < mixture.Components; j += MixtureBlock)
                {
                    int block = Math.Min(MixtureBlock, mixture.Components - j);
                    float* to = shares + (nint)r * mixture.Components + j;
                    mixture.LogDensities<V>(z + (nint)r * mixture.H, j, block, to);
                    mixture.Weights(r, j, block, weight);
                    mixture.AddWeights(r, j, block, weight, to);
                    Share<V>(to, block, joint[r], gJoint[r], dpairBias == null ? null : dpairBias + (nint)r * mixture.Components + j);
                }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Share<V>(float* terms, int block, float joint, float g, float* dpairBias) where V : struct, IVector<V>
        {
            for (int k = 0; k < block; k += IVector<V>.Lanes)
            {
                int count = Math.Min(block - k, IVector<V>.Lanes);
                V share = V.Broadcast(g) * RealMath.Exp(Lanes.LoadUpTo<V>(terms + k, count) - V.Broadcast(joint));
                Lanes.StoreUpTo(share, terms + k, count);
                if (dpairBias != null)
                    Lanes.StoreUpTo(Lanes.LoadUpTo<V>(dpairBias + k, count) + share, dpairBias + k, count);
            }
        }
    }

    private readonly struct MixtureGradientJob(PackedMixture mixture, int rows, int tileRows, int tiles, float* z, float* marginal,
        float* shares, float* gMarginal, float* partials, long partial, float* dz) : ILaneJob
    {
        [SkipLocalsInit]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int strip = part / tiles, tile = part % tiles, count = Math.Min(16, mixture.H - strip * 16);
            float* sums = partials + tile * (nint)partial + (nint)strip * mixture.Components * 32;
            new Span<float>(sums, mixture.Components * 32).Clear();
            float* weight = stackalloc float[MixtureBlock];
            int last = Math.Min(rows, (tile + 1) * tileRows);
            for (int r = tile * tileRows; r < last; r++)
            {
                nint at = (nint)r * mixture.H + strip * 16;
                V latents = Lanes.LoadUpTo<V>(z + at, count), d = Lanes.LoadUpTo<V>(dz + at, count);
                V g = gMarginal == null ? V.Broadcast(0f) : Lanes.LoadUpTo<V>(gMarginal + at, count);
                V logs = gMarginal == null ? g : Lanes.LoadUpTo<V>(marginal + at, count);
                for (int j = 0; j < mixture.Components; j += MixtureBlock)
                {
                    int block = Math.Min(MixtureBlock, mixture.Components - j);
                    mixture.Weights(r, j, block, weight);
                    d += Block(latents, mixture.Component(strip, j), block, weight, g, logs, gMarginal != null, shares == null ? null
                        : shares + (nint)r * mixture.Components + j, sums + (nint)j * 32);
                }
                Lanes.StoreUpTo(d, dz + at, count);
            }
        }

        /// <summary>Adds one row's gradients of a block of components to their sums, and returns the row's own.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static V Block<V>(V latents, float* component, int block, float* weight, V g, V marginal, bool ofMarginal, float* share,
            float* sums) where V : struct, IVector<V>
        {
            V total = V.Broadcast(0f);
            for (int k = 0; k < block; k++, component += Packed, sums += 32)
            {
                V u = latents - V.Load(component), precision = V.Load(component + 16);
                V quadratic = GaussianComponent.Quadratic(u, precision);
                V coefficient = share == null ? V.Broadcast(0f) : V.Broadcast(share[k]);
                if (ofMarginal)
                    coefficient =
                        GaussianComponent.Share(coefficient, g, quadratic, V.Load(component + 32), V.Broadcast(weight[k]), marginal);
                V toLatent = GaussianComponent.ToLatent(coefficient, u, precision);
                total += toLatent;
                V.Store(V.Load(sums) - toLatent, sums);
                V.Store(GaussianComponent.AddToLogVar(coefficient, quadratic, V.Load(sums + 16)), sums + 16);
            }
            return total;
        }
    }

    private readonly struct AddTilesJob(int components, int h, int tiles, float* partials, long partial, float* dmu, float* dlogVar)
        : ILaneJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(int part) where V : struct, IVector<V>
        {
            int first = part * RowsPerPart(h), last = Math.Min(components, first + RowsPerPart(h));
            for (int j = first; j < last; j++)
                for (int i = 0, strip = 0; i < h; i += IVector<V>.Lanes, strip++)
                {
                    int count = Math.Min(h - i, IVector<V>.Lanes);
                    nint at = (nint)j * h + i;
                    V toMu = Lanes.LoadUpTo<V>(dmu + at, count), toLogVar = Lanes.LoadUpTo<V>(dlogVar + at, count);
                    float* sums = partials + ((nint)strip * components + j) * 32;
                    for (int tile = 0; tile < tiles; tile++, sums += partial)
                    {
                        toMu += V.Load(sums);
                        toLogVar += V.Load(sums + 16);
                    }
                    Lanes.StoreUpTo(toMu, dmu + at, count);
                    Lanes.StoreUpTo(toLogVar, dlogVar + at, count);
                }
        }
    }
}
