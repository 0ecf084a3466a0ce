using VaeFromScratch.Kernels.Cpu.Products;

namespace VaeFromScratch.Kernels.Cpu;

/// <summary>Matrix products, and the gradients that go with a layer's bias and ReLU. The work is in Products.</summary>
internal sealed unsafe partial class CpuBackend
{
    /// <summary>Below this many floating-point operations the dispatch to other threads costs more than they save.</summary>
    private const double SerialFlops = 150_000;

    /// <summary>Floats of B that are packed at a time; wider products are cut into column slabs.</summary>
    private const long PackedLimit = 8L << 20;

    private readonly Scratch sharedScratch = new();
    private readonly Scratch threadScratch = new();

    /// <summary>Bytes of working memory that the backend holds beside the buffers of its caller.</summary>
    public long ScratchBytes => sharedScratch.Bytes + threadScratch.Bytes + PlanBytes;

    public void MatMul(MatMulShape shape, Slice<float> a, Slice<float> b, Slice<float> c, Slice<float> bias,
        Activation activation, Slice<float> reluMask)
    {
        var (m, n, k) = (shape.M, shape.N, shape.K);
        Require.MatMul(shape, a, b, c, bias, reluMask);
        if (m == 0 || n == 0)
            return;
        if (DotJob.Suits(shape))
        {
            var dots = new DotJob(shape, a.Pointer, b.Pointer, c.Pointer, bias.Pointer, activation == Activation.Relu, reluMask.Pointer);
            if (shape.Flops < SerialFlops)
                for (int i = 0; i < DotJob.Tasks(shape); i++)
                    dots.Run(i);
            else
                team.ForEach(DotJob.Tasks(shape), ref dots);
            return;
        }
        int slab = (int)Math.Min(n, Math.Max(1, PackedLimit / Math.Max(1, k) / Microkernels.Panel) * Microkernels.Panel);
        for (int n0 = 0; n0 < n; n0 += slab)
        {
            var job = new MatMulJob(shape, a.Pointer, b.Pointer, c.Pointer, bias.Pointer, activation, reluMask.Pointer, n0,
                Math.Min(slab, n - n0), team.Threads);
            RunProduct(ref job, shape.Flops);
        }
    }

    public void ReluMask(Slice<float> y, Slice<float> g)
    {
        Require.ReluMask(y, g);
        var job = new ReluMaskJob(y.Pointer, g.Pointer, y.Length);
        team.ForEach(job.Parts, ref job);
    }

    private void RunProduct<J>(ref J job, double flops) where J : struct, IProductJob
    {
        bool alone = flops < SerialFlops || team.Threads == 1;
        job.Place(sharedScratch.Reserve(job.SharedFloats), threadScratch.Reserve(job.ThreadFloats * team.Threads), alone ? null : team);
        if (alone)
            job.Run(0);
        else
            team.OnEveryThread(ref job);
    }
}
