#!/usr/bin/env python3
"""PyTorch's side of the CPU comparison: the papers' networks and their operations.

Prints one JSON object with a section for each name in --sections, under the row names of `Bench -- compare`.
Times are the median over blocks of calls after a warm-up, with the least beside it. Start it with torch_cpu.sh:
without the settings made there PyTorch is up to 60 times slower and a comparison worthless.
"""
import argparse
import gzip
import json
import math
import os
import statistics
import sys
import time

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--sections", default="gemm,conv,elementwise,mi,mnist,celeba,imae")
arguments.add_argument("--threads", type=int, default=2)
arguments.add_argument("--repeats", type=int, default=3, help="blocks whose median counts")
arguments.add_argument("--min-time", type=float, default=0.05, help="seconds in a block")
arguments.add_argument("--images-per-block", type=int, default=6000, help="of a training loop")
arguments.add_argument("--data", default="datasets", help="the folder that holds mnist/, plain or .gz")
args = arguments.parse_args()
os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(args.threads)
torch.manual_seed(0)
clock = time.perf_counter


# ---------------------------------------------------------------- timing

def timed(call):
    """Seconds per call: (median, least) over blocks of at least --min-time."""
    call()
    start = clock()
    call()
    calls = max(1, int(args.min_time / max(clock() - start, 1e-7)))
    start = clock()
    for _ in range(calls):
        call()
    calls = max(1, int(args.min_time * calls / max(clock() - start, 1e-7)))

    def block():
        for _ in range(calls):
            call()
    return timed_blocks(block, calls)


def timed_blocks(block, units):
    """Seconds per unit of a block that is long enough by itself and warmed up."""
    seconds = []
    for _ in range(args.repeats):
        start = clock()
        block()
        seconds.append((clock() - start) / units)
    return statistics.median(seconds), min(seconds)


def row(call, flops=0.0):
    with torch.no_grad():
        median, best = timed(call)
    return {"us": median * 1e6, "us_best": best * 1e6, "gflops": flops / median * 1e-9}


def rate(seconds_per_image):
    median, best = seconds_per_image
    return {"images_s": 1 / median, "images_s_best": 1 / best}


# ---------------------------------------------------------------- networks

class BackwardDataDeconv(torch.autograd.Function):
    """Transposed convolution (4x4, stride 2, padding 1) by oneDNN's backward-data pass.

    PyTorch 1.13's own conv_transpose2d goes through im2col and a product on the CPU. This is what a user who tunes it would
    write; rows with it end in _tuned.
    """

    @staticmethod
    def backward_pass(g, x, w, mask):
        return torch.ops.aten.convolution_backward(g, x, w, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1, mask)

    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        large = x.new_empty(x.shape[0], w.shape[1], 2 * x.shape[2], 2 * x.shape[3])
        return BackwardDataDeconv.backward_pass(x, large, w, [True, False, False])[0].add_(b.view(1, -1, 1, 1))

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        g = g.contiguous()
        dw = BackwardDataDeconv.backward_pass(x, g, w, [False, True, False])[1]
        return F.conv2d(g, w, None, 2, 1), dw, g.sum((0, 2, 3))


class TunedDeconv(nn.ConvTranspose2d):
    def forward(self, x):
        return BackwardDataDeconv.apply(x, self.weight, self.bias)


class ConvVae(nn.Module):
    """The beta-VAE of papers 1 and 2 with beta 10 and a learned variance."""

    def __init__(self, shape, channels, hidden, latents, tuned=False):
        super().__init__()
        deconv = TunedDeconv if tuned else nn.ConvTranspose2d
        c, h, w = shape
        layers, inputs = [], c
        for outputs in channels:
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU()]
            inputs, h, w = outputs, h // 2, w // 2
        self.encoder = nn.Sequential(*layers)
        self.features = (inputs, h, w)
        flat = inputs * h * w
        self.fc1 = nn.Linear(flat, hidden)
        self.mu, self.logvar = nn.Linear(hidden, latents), nn.Linear(hidden, latents)
        self.fc2, self.fc3 = nn.Linear(latents, hidden), nn.Linear(hidden, flat)
        layers = []
        for outputs in [*channels[-2::-1], c]:
            layers += [deconv(inputs, outputs, 4, 2, 1), nn.ReLU()]
            inputs = outputs
        self.decoder = nn.Sequential(*layers[:-1])
        self.log_sigma = nn.Parameter(torch.zeros(()))

    def encode(self, x):
        h = F.relu(self.fc1(self.encoder(x).flatten(1)))
        return self.mu(h), self.logvar(h)

    def decode(self, z):
        h = F.relu(self.fc3(F.relu(self.fc2(z))))
        return self.decoder(h.view(-1, *self.features))

    def loss(self, x):
        mu, logvar = self.encode(x)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        error = F.mse_loss(self.decode(z), x, reduction="sum") / x.shape[0]
        nll = 0.5 * torch.exp(-2 * self.log_sigma) * error + x[0].numel() * (self.log_sigma + 0.5 * math.log(2 * math.pi))
        kl = 0.5 * (mu * mu + logvar.exp() - 1 - logvar).sum() / x.shape[0]
        return nll + 10 * kl


class ImaeMlp(nn.Module):
    """Paper 3: encoder 784-500-1000-30 (10 logits, 10 means, 10 log variances), decoder 20-500-500-784."""

    def __init__(self):
        super().__init__()

        def hidden(inputs, outputs):
            return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.encoder = nn.Sequential(*hidden(784, 500), *hidden(500, 1000), nn.Linear(1000, 30))
        self.decoder = nn.Sequential(*hidden(20, 500), *hidden(500, 500), nn.Linear(500, 784))

    def loss(self, x):
        heads = self.encoder(x)
        logits, mu, logvar = heads[:, :10], heads[:, 10:20], heads[:, 20:]
        log_p = F.log_softmax(logits, 1)
        p = log_p.exp()
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        nll = F.binary_cross_entropy_with_logits(self.decoder(torch.cat([p, z], 1)), x, reduction="sum") / x.shape[0]
        kl = 0.5 * (mu * mu + logvar.exp() - 1 - logvar).sum() / x.shape[0]
        kl_category = (p * (log_p + math.log(10.0))).sum() / x.shape[0]
        return nll + kl + kl_category


# ---------------------------------------------------------------- data

def mnist_bytes():
    """The 60 000 training images as stored, [60000, 1, 28, 28]."""
    path = os.path.join(args.data, "mnist", "train-images-idx3-ubyte")
    plain = os.path.exists(path)
    if not plain and not os.path.exists(path + ".gz"):
        sys.exit(f"torch_cpu.py: no {path}, plain or .gz; give the folder that holds mnist/ with --data")
    with (open(path, "rb") if plain else gzip.open(path + ".gz")) as file:
        _, count, height, width = np.frombuffer(file.read(16), ">i4")
        images = np.empty((count, 1, height, width), np.uint8)
        file.readinto(memoryview(images).cast("B"))
    return torch.from_numpy(images)


def mnist():
    """As floats in [0, 1], converted in place so that no second copy counts in the peak memory."""
    return mnist_bytes().float().div_(255)


class Training:
    """A training loop as users write it: a shuffled batch, zero_grad, backward, Adam."""

    def __init__(self, model, data, batch):
        self.model, self.data, self.batch = model, data, batch
        self.optimiser = torch.optim.Adam(model.parameters(), 1e-3)

    def run(self, steps):
        order = torch.randperm(len(self.data))
        for i in range(steps):
            start = i * self.batch % (len(self.data) - self.batch + 1)
            x = self.data[order[start:start + self.batch]]
            if x.dtype == torch.uint8:
                x = x.float().div_(255)
            self.optimiser.zero_grad()
            self.model.loss(x).backward()
            self.optimiser.step()

    def rate(self, steps):
        self.run(steps)
        return rate(timed_blocks(lambda: self.run(steps), steps * self.batch))


def encode_rate(model, x):
    with torch.no_grad():
        median, best = timed(lambda: model.encode(x))
    return rate((median / len(x), best / len(x)))


# ---------------------------------------------------------------- sections: training

def mnist_section():
    data, rows = mnist(), {}
    for batch in (100, 512):
        for suffix in ("", "_tuned"):
            model = ConvVae((1, 28, 28), (32, 32), 256, 128, tuned=bool(suffix))
            rows[f"train_b{batch}{suffix}"] = Training(model, data, batch).rate(args.images_per_block // batch)
    for count in (1, 100, 1000):
        rows[f"encode_b{count}"] = encode_rate(model, data[:count])
    return rows


def celeba_section():
    data, rows = torch.rand(2048, 3, 64, 64), {}
    for suffix in ("", "_tuned"):
        model = ConvVae((3, 64, 64), (32, 32, 64, 64), 256, 32, tuned=bool(suffix))
        rows["train_b64" + suffix] = Training(model, data, 64).rate(args.images_per_block // 640)
    rows["encode_b64"] = encode_rate(model, data[:64])
    return rows


def imae_section():
    return {"train_b100": Training(ImaeMlp(), mnist().flatten(1), 100).rate(args.images_per_block // 100)}


def memory_section(kind):
    """Nothing but the training loop, in a process of its own: images as floats, as most users keep them, or as the stored bytes."""
    data = mnist() if kind == "float" else mnist_bytes()
    Training(ConvVae((1, 28, 28), (32, 32), 256, 128), data, 100).run(args.images_per_block // 100)
    return {"train_b100_" + kind: {"peak_rss_mib": peak_rss_mib()}}


# ---------------------------------------------------------------- sections: operations

def gemm_section():
    rows = {}
    shapes = [(n, n, n) for n in (256, 512, 1024, 2048)]
    shapes += [(100, 784, 500), (100, 500, 1000), (100, 1568, 256), (512, 1568, 256), (100, 256, 1568), (1568, 100, 256)]
    for m, k, n in shapes:
        a, b, c = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
        bt = torch.randn(n, k)  # the layout of nn.Linear: x times the transpose of the weights
        flops = 2.0 * m * n * k
        rows[f"{m}x{k}x{n}"] = row(lambda: torch.mm(a, b, out=c), flops)
        rows[f"{m}x{k}x{n}"]["nt"] = row(lambda: torch.mm(a, bt.t(), out=c), flops)
    return rows


def conv_section():
    rows = {}
    convolutions = [
        ("mnist1", 100, 1, 28, 32), ("mnist2", 100, 32, 14, 32), ("mnist1_b512", 512, 1, 28, 32), ("mnist2_b512", 512, 32, 14, 32),
        ("celeba1", 64, 3, 64, 32), ("celeba2", 64, 32, 32, 32), ("celeba3", 64, 32, 16, 64), ("celeba4", 64, 64, 8, 64)]
    backward = torch.ops.aten.convolution_backward
    for name, batch, inputs, size, outputs in convolutions:
        x, w, b = torch.randn(batch, inputs, size, size), torch.randn(outputs, inputs, 4, 4) * .1, torch.randn(outputs)
        y = F.conv2d(x, w, b, 2, 1)
        g, bias = torch.randn_like(y), torch.randn(inputs)
        flops = 2.0 * y.numel() * inputs * 16

        def gradients(mask):
            return lambda: backward(g, x, w, [outputs], [2, 2], [1, 1], [1, 1], False, [0, 0], 1, mask)
        rows[name] = {
            "fwd": row(lambda: F.conv2d(x, w, b, 2, 1), flops),
            "bwd_data": row(gradients([True, False, False]), flops),
            "bwd_weight": row(gradients([False, True, True]), flops),
            # the decoder's layer at the same place: `outputs` channels at half the size in, `inputs` channels out
            "deconv_fwd": row(lambda: F.conv_transpose2d(g, w, bias, 2, 1), flops),
            "deconv_fwd_tuned": row(lambda: backward(g, x, w, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1, [True, False, False])[0].add_(bias.view(1, -1, 1, 1)), flops),
        }
    return rows


def elementwise_section():
    logits = torch.randn(2000, 10)
    a, b = torch.randn(10000, 128), torch.randn(10000, 128)
    positive, out = b.abs() + .1, torch.empty(10000, 128)
    small_a, small_b, small_out = torch.randn(64, 128), torch.randn(64, 128), torch.empty(64, 128)
    rows = {
        "softmax_2000x10": row(lambda: torch.softmax(logits, 1)),
        "log_softmax_2000x10": row(lambda: torch.log_softmax(logits, 1)),
        "reparam_with_randn_10000x128": row(lambda: a + torch.exp(0.5 * b) * torch.randn_like(a)),
        "randn_10000x128": row(lambda: out.normal_()),
        "exp_10000x128": row(lambda: torch.exp(b, out=out)),
        "log_10000x128": row(lambda: torch.log(positive, out=out)),
        "tanh_10000x128": row(lambda: torch.tanh(b, out=out)),
        "sigmoid_10000x128": row(lambda: torch.sigmoid(b, out=out)),
        "relu_10000x128": row(lambda: torch.clamp_min(a, 0.0, out=out)),
        "add_10000x128": row(lambda: torch.add(a, b, out=out)),
        "mul_10000x128": row(lambda: torch.mul(a, b, out=out)),
        "sum_10000x128": row(lambda: torch.sum(a)),
        "exp_64x128": row(lambda: torch.exp(small_a, out=small_out)),
        "relu_64x128": row(lambda: torch.clamp_min(small_a, 0.0, out=small_out)),
        "add_64x128": row(lambda: torch.add(small_a, small_b, out=small_out)),
        "mul_64x128": row(lambda: torch.mul(small_a, small_b, out=small_out)),
        "sum_64x128": row(lambda: torch.sum(small_a)),
    }
    parameters = [p for p in ConvVae((1, 28, 28), (32, 32), 256, 128).parameters()]
    for p in parameters:
        p.grad = torch.randn_like(p)
    for suffix, foreach in (("", False), ("_foreach", True)):
        rows["adam_step_937k" + suffix] = row(torch.optim.Adam(parameters, 1e-3, foreach=foreach).step)
    return rows


def mi_section():
    """(I2) of the equations for each factor: eagerly as the mean KL to N(0, s*), and by its closed form."""
    mu, logvar = torch.randn(10000, 128), torch.randn(10000, 128) - 2

    def eager():
        variance = logvar.exp()
        s = (variance + mu * mu).mean(0)
        return 0.5 * (torch.log(s) - logvar + (variance + mu * mu) / s - 1).mean(0)

    def closed_form():
        return 0.5 * (torch.log((logvar.exp() + mu * mu).mean(0)) - logvar.mean(0))
    return {"eager_10000x128": row(eager), "eager_closed_form": row(closed_form)}


# ---------------------------------------------------------------- the machine

def peak_rss_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def loaded_libraries():
    with open("/proc/self/maps") as maps:
        files = {os.path.basename(line.split()[-1]) for line in maps}
    return sorted(f for f in files if any(k in f for k in ("blas", "blis", "mkl", "dnnl", "gomp")))


def configuration():
    torch.mm(torch.ones(8, 8), torch.ones(8, 8))
    return {
        "torch": torch.__version__, "threads": torch.get_num_threads(), "libs": " ".join(loaded_libraries()),
        "coretype_env": os.environ.get("OPENBLAS_CORETYPE", ""), "aten_env": os.environ.get("ATEN_CPU_CAPABILITY", ""), "peak_rss_mib": peak_rss_mib(),
    }


class Interference:
    """How many cores others used, or the hypervisor took, since this object was made."""

    def __init__(self):
        self.start, self.machine, self.own = clock(), self.cpu(), sum(os.times()[:2])

    @staticmethod
    def cpu():
        with open("/proc/stat") as stat:
            user, nice, system, _, _, irq, softirq, steal = (int(v) / os.sysconf("SC_CLK_TCK") for v in stat.readline().split()[1:9])
        return user + nice + system + irq + softirq, steal

    def report(self):
        seconds, (busy, stolen) = clock() - self.start, self.cpu()
        own = sum(os.times()[:2]) - self.own
        return {"seconds": round(seconds, 1), "foreign_cores": round((busy - self.machine[0] - own) / seconds, 3), "steal_cores": round((stolen - self.machine[1]) / seconds, 3)}


SECTIONS = {
    "gemm": gemm_section, "conv": conv_section, "elementwise": elementwise_section, "mi": mi_section, "mnist": mnist_section, "celeba": celeba_section, "imae": imae_section,
    "memory_float": lambda: memory_section("float"), "memory_bytes": lambda: memory_section("bytes")}

result = {"interference": {}}
for name in args.sections.split(","):
    if name not in SECTIONS:
        sys.exit(f"torch_cpu.py: there is no section {name}; sections are {', '.join(SECTIONS)}")
    watch = Interference()
    result[name] = SECTIONS[name]()
    result["interference"][name] = watch.report()
result["config"] = configuration()
print(json.dumps(result, indent=1))
