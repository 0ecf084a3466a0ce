using System.Text.Json.Nodes;
using VaeFromScratch.Bench.Workloads;
using VaeFromScratch.Kernels;
using VaeFromScratch.Reference;

namespace VaeFromScratch.Bench.Compare;

/// <summary>Single operations. Each is checked before it is timed, as in the benchmarks.</summary>
internal static class KernelSections
{
    public static JsonObject Gemm(Session session)
    {
        JsonObject rows = [];
        foreach (var (m, k, n) in NetworkShapes.Products)
        {
            var row = Time(session, SampledProducts.MatMul(new(m, n, k)));
            // The layout of PyTorch's linear layers: x times the transpose of [out, in] weights.
            row["nt"] = Time(session, SampledProducts.MatMul(new(m, n, k, TransposeB: true)));
            rows[$"{m}x{k}x{n}"] = row;
        }
        return rows;
    }

    public static JsonObject Convolutions(Session session)
    {
        JsonObject rows = [];
        foreach (var (name, shape) in NetworkShapes.Convolutions)
            rows[name] = new JsonObject
            {
                ["fwd"] = Time(session, SampledProducts.Forward(shape)),
                ["bwd_data"] = Time(session, SampledProducts.BackwardData(shape)),
                ["bwd_weight"] = Time(session, SampledProducts.BackwardWeight(shape, bias: true)),
                ["deconv_fwd"] = Time(session, SampledProducts.BackwardData(shape, bias: true)),
            };
        return rows;
    }

    public static JsonObject Elementwise(Session session)
    {
        const int rows = KernelWorkloads.Rows, latents = KernelWorkloads.Latents, n = KernelWorkloads.Values, few = 64 * latents;
        return new()
        {
            ["softmax_2000x10"] = First(SoftmaxCases.Of(2000, 10), "Softmax"),
            ["log_softmax_2000x10"] = First(SoftmaxCases.Of(2000, 10), "LogSoftmax"),
            // Ours also gives the KL divergence and keeps the noise for the gradient.
            ["reparam_with_randn_10000x128"] = First(FusedCases.Of(rows, latents), "Reparameterise"),
            ["randn_10000x128"] = Time(session, RandomCases.Of(Distribution.Normal, n)),
            ["exp_10000x128"] = Unary("Exp", n),
            ["log_10000x128"] = Unary("Log", n),
            ["tanh_10000x128"] = Unary("Tanh", n),
            ["sigmoid_10000x128"] = Unary("Sigmoid", n),
            ["relu_10000x128"] = Unary("Relu", n),
            ["add_10000x128"] = Binary("Add", n),
            ["mul_10000x128"] = Binary("Multiply", n),
            ["sum_10000x128"] = First(ReduceCases.Of(1, n, 1), "Sum"),
            ["exp_64x128"] = Unary("Exp", few),
            ["relu_64x128"] = Unary("Relu", few),
            ["add_64x128"] = Binary("Add", few),
            ["mul_64x128"] = Binary("Multiply", few),
            ["sum_64x128"] = First(ReduceCases.Of(1, few, 1), "Sum"),
            ["adam_step_937k"] = First(OptimiseCases.Of(KernelWorkloads.ConvVaeParameters), "Adam"),
        };

        JsonObject First(IEnumerable<KernelCase> cases, string operation) => Time(session, cases.First(c => c.Operation == operation));
        JsonObject Unary(string name, int length) =>
            First(ElementwiseCases.Unary(ElementwiseReference.Unary.First(k => k.Name == name), [length]), $"Unary {name}");
        JsonObject Binary(string name, int length) => First(ElementwiseCases.Binary(ElementwiseReference.Binary.First(k => k.Name == name),
            [(length, length, length)]), $"Binary {name}");
    }

    public static JsonObject MutualInformation(Session session)
    {
        JsonObject rows = [];
        foreach (var (key, workload) in new[] { "moments_10000x128", "indicators_10000x128" }.Zip(WorkloadCatalogue.MutualInformation))
            rows[key] = Time(session, workload);
        return rows;
    }

    private static JsonObject Time(Session session, KernelCase kernelCase) => Time(session, Workload.Of(kernelCase));

    private static JsonObject Time(Session session, Workload workload)
    {
        using var ready = workload.Prepare(session.Backend);
        return session.Clock.Time(ready.Run).ToJson(ready.Cost.Flops);
    }
}
