using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

/// <summary>A network that gives the loss of a batch; the networks are those of ../torch_cpu.py.</summary>
abstract class Net(string name) : nn.Module<Tensor, Tensor>(name)
{
    /// <summary>Images with the channels last in memory, or as they come.</summary>
    public static Tensor Layout(Tensor t, bool channelsLast) =>
        channelsLast && t.dim() == 4 ? t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) : t;
}

/// <summary>The beta-VAE of papers 1 and 2 with beta 10 and a learned variance.</summary>
sealed class ConvVae : Net
{
    private readonly bool channelsLast;
    private readonly Sequential encoder, decoder;
    private readonly Linear fc1, mu, logvar, fc2, fc3;
    private readonly Parameter logSigma;
    private readonly long[] features;

    public ConvVae((int C, int H, int W) shape, int[] channels, int hidden, int latents, bool channelsLast) : base("vae")
    {
        this.channelsLast = channelsLast;
        var (inputs, h, w) = shape;
        var layers = new List<nn.Module<Tensor, Tensor>>();
        foreach (int outputs in channels)
        {
            layers.AddRange([Conv2d(inputs, outputs, 4, stride: 2, padding: 1), ReLU(inplace: true)]);
            (inputs, h, w) = (outputs, h / 2, w / 2);
        }
        encoder = Sequential(layers);
        features = [inputs, h, w];
        int flat = inputs * h * w;
        (fc1, mu, logvar) = (Linear(flat, hidden), Linear(hidden, latents), Linear(hidden, latents));
        (fc2, fc3) = (Linear(latents, hidden), Linear(hidden, flat));
        layers.Clear();
        foreach (int outputs in channels.Reverse().Skip(1).Append(shape.C))
        {
            layers.AddRange([ConvTranspose2d(inputs, outputs, 4, stride: 2, padding: 1), ReLU(inplace: true)]);
            inputs = outputs;
        }
        decoder = Sequential(layers[..^1]);
        logSigma = new Parameter(torch.zeros([]));
        RegisterComponents();
    }

    public (Tensor, Tensor) Encode(Tensor x)
    {
        var h = fc1.forward(encoder.forward(x).flatten(1)).relu_();
        return (mu.forward(h), logvar.forward(h));
    }

    public override Tensor forward(Tensor x)
    {
        var (m, lv) = Encode(x);
        var z = torch.addcmul(m, torch.randn_like(m), (lv * 0.5f).exp(), 1);
        long pixels = x.numel() / x.shape[0];
        var error = F.mse_loss(Decode(z), x, Reduction.Sum) / (float)x.shape[0];
        var nll = 0.5f * torch.exp(-2 * logSigma) * error + pixels * (logSigma + 0.5f * MathF.Log(2 * MathF.PI));
        var kl = 0.5f * (m * m + lv.exp() - 1 - lv).sum() / (float)x.shape[0];
        return nll + 10 * kl;
    }

    private Tensor Decode(Tensor z)
    {
        var h = fc3.forward(fc2.forward(z).relu_()).relu_().view(-1, features[0], features[1], features[2]);
        return decoder.forward(Layout(h, channelsLast));
    }
}

/// <summary>Paper 3: encoder 784-500-1000-30 (10 logits, 10 means, 10 log variances), decoder 20-500-500-784.</summary>
sealed class ImaeMlp : Net
{
    private readonly Sequential encoder, decoder;

    public ImaeMlp() : base("imae")
    {
        encoder = Sequential([.. Hidden(784, 500), .. Hidden(500, 1000), Linear(1000, 30)]);
        decoder = Sequential([.. Hidden(20, 500), .. Hidden(500, 500), Linear(500, 784)]);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        var heads = encoder.forward(x);
        Tensor logits = heads.narrow(1, 0, 10), m = heads.narrow(1, 10, 10), lv = heads.narrow(1, 20, 10);
        var logP = F.log_softmax(logits, 1);
        var p = logP.exp();
        var z = torch.addcmul(m, torch.randn_like(m), (lv * 0.5f).exp(), 1);
        float n = x.shape[0];
        var nll = F.binary_cross_entropy_with_logits(decoder.forward(torch.cat([p, z], 1)), x, reduction: Reduction.Sum) / n;
        var kl = 0.5f * (m * m + lv.exp() - 1 - lv).sum() / n;
        return nll + kl + (p * (logP + MathF.Log(10))).sum() / n;
    }

    private static IEnumerable<nn.Module<Tensor, Tensor>> Hidden(int inputs, int outputs) =>
        [Linear(inputs, outputs), BatchNorm1d(outputs), ReLU(inplace: true)];
}

/// <summary>A training loop: a shuffled batch, forward, backward, Adam.</summary>
sealed class Training
{
    private readonly Net model;
    private readonly Tensor data;
    private readonly int batch;
    private readonly bool tuned;
    private readonly optim.Optimizer? adam;
    private readonly FlatAdam? flat;

    /// <param name="tuned">Channels last, and all weights in one buffer so that Adam is a handful of calls: the strongest that was
    /// found.</param>
    public Training(Net model, Tensor data, int batch, bool tuned)
    {
        (this.model, this.data, this.batch, this.tuned) = (model, data, batch, tuned);
        if (tuned)
            flat = new(model.parameters().ToArray());
        else
            adam = optim.Adam(model.parameters(), 1e-3);
    }

    public void Run(int steps)
    {
        model.train();
        using var outer = torch.NewDisposeScope();
        var order = torch.randperm(data.shape[0]);
        for (int i = 0; i < steps; i++)
        {
            using var scope = torch.NewDisposeScope();
            long start = (long)i * batch % (data.shape[0] - batch + 1);
            var x = data.index_select(0, order.narrow(0, start, batch));
            if (x.dtype == ScalarType.Byte)
                x = x.to(float32).div_(255);
            x = Net.Layout(x, tuned);
            if (flat is not null)
                flat.Zero();
            else
                adam!.zero_grad();
            var loss = model.forward(x);
            loss.backward();
            if (flat is not null)
                flat.Step();
            else
                adam!.step();
            if (i == steps - 1 && !float.IsFinite(loss.item<float>()))
                throw new InvalidOperationException("training: the loss is not finite");
        }
    }
}

/// <summary>Adam over one buffer of all weights and one of all gradients.</summary>
sealed class FlatAdam
{
    private readonly Tensor weights, gradients, mean, square, denominator;
    private int step;

    public FlatAdam(Parameter[] parameters)
    {
        using var noGradients = torch.no_grad();
        long length = parameters.Sum(p => p.numel()), at = 0;
        (weights, gradients, denominator) = (torch.empty(length), torch.zeros(length), torch.empty(length));
        (mean, square) = (torch.zeros(length), torch.zeros(length));
        foreach (var parameter in parameters)
        {
            using var scope = torch.NewDisposeScope();
            var own = View(weights, parameter, at);
            own.copy_(parameter);
            parameter.set_(own);
            parameter.grad = View(gradients, parameter, at).DetachFromDisposeScope();
            at += parameter.numel();
        }
    }

    public void Zero() => gradients.zero_();

    public void Step()
    {
        using var noGradients = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        step++;
        double first = 1 - Math.Pow(0.9, step), second = Math.Sqrt(1 - Math.Pow(0.999, step));
        mean.lerp_(gradients, 0.1f);
        square.mul_(0.999f).addcmul_(gradients, gradients, 0.001f);
        denominator.copy_(square).sqrt_().add_((float)(1e-8 * second));
        weights.addcdiv_(mean, denominator, (float)(-1e-3 * second / first));
    }

    /// <summary>A parameter's part of a buffer; that of a convolution's weights with the channels last.</summary>
    private static Tensor View(Tensor buffer, Tensor parameter, long at)
    {
        var part = buffer.narrow(0, at, parameter.numel());
        long[] s = parameter.shape;
        return s.Length == 4 ? part.view(s[0], s[2], s[3], s[1]).permute(0, 3, 1, 2) : part.view(s);
    }
}
