#!/usr/bin/env python3
"""PyTorch on the same GPU, for comparison with `vae doctor --bench`: prints one JSON object.

Written for PyTorch 2.11. Every workload is timed with CUDA events: eager, with torch.compile(mode="max-autotune"), which uses CUDA graphs, and, for training steps,
as one CUDA graph of the whole compiled step, optimiser included; tf32 is on, images are channels_last, the data is on the device. Times are medians. What fails has an "error" in place of its time.

    python3 Bench/peers/torch_gpu.py [--only NAME] [--repetitions N]
"""
import argparse
import json
import math
import statistics
import sys

import torch
from torch import nn
from torch.nn import functional as F


def median_seconds(step, repetitions, warm_up=10):
    for _ in range(warm_up):
        step()
    torch.cuda.synchronize()
    times = []
    for _ in range(repetitions):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        step()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e-3)
    return statistics.median(times)


class ConvVae(nn.Module):
    """The convolutional VAE of papers 1 and 2: 4x4 convolutions of stride 2, a hidden layer of 256, and the mirror image."""

    def __init__(self, size, channels, widths, latents):
        super().__init__()
        layers, before = [], channels
        for width in widths:
            layers += [nn.Conv2d(before, width, 4, 2, 1), nn.ReLU()]
            before = width
        self.side = size >> len(widths)
        features = before * self.side**2
        self.encoder = nn.Sequential(*layers)
        self.hidden = nn.Linear(features, 256)
        self.mu, self.log_var = nn.Linear(256, latents), nn.Linear(256, latents)
        self.fc1, self.fc2 = nn.Linear(latents, 256), nn.Linear(256, features)
        layers = []
        outputs = list(reversed(widths[:-1])) + [channels]
        for i, width in enumerate(outputs):
            layers.append(nn.ConvTranspose2d(before, width, 4, 2, 1))
            if i + 1 < len(outputs):
                layers.append(nn.ReLU())
            before = width
        self.decoder = nn.Sequential(*layers)
        self.width = widths[-1]

    def forward(self, x):
        h = F.relu(self.hidden(self.encoder(x).flatten(1)))
        mu, log_var = self.mu(h), self.log_var(h)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        features = F.relu(self.fc2(F.relu(self.fc1(z)))).view(-1, self.width, self.side, self.side)
        mean = self.decoder(features.contiguous(memory_format=torch.channels_last))
        variance = 0.05
        nll = 0.5 * ((x - mean) ** 2 / variance + math.log(2 * math.pi * variance)).flatten(1).sum(1)
        kl = 0.5 * (torch.exp(log_var) + mu**2 - 1 - log_var).sum(1)
        return (nll + kl).mean()


class Exon(nn.Module):
    """EXoN of paper 4 for CIFAR-10 (its tables 1 and 2), in a step on unlabelled images: ten Gaussians of 300 factors for each image, and a classifier that weighs them."""

    CLASSES, LATENTS, RELEVANT, TEMPERATURE, EPSILON = 10, 300, 100, 1.0, 0.02

    def __init__(self):
        super().__init__()
        encoder, before = [], 3
        for width, kernel in [(32, 5), (64, 5), (128, 3), (256, 3)]:
            encoder += [nn.Conv2d(before, width, kernel, 2, kernel // 2), nn.ReLU(), nn.BatchNorm2d(width)]
            before = width
        outputs = self.CLASSES * self.LATENTS
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(1024, 1024), nn.ReLU(), nn.BatchNorm1d(1024))
        self.mu, self.log_var = nn.Linear(1024, outputs), nn.Linear(1024, outputs)
        classifier, before = [], 3
        for width in [32, 64, 128]:
            for _ in range(2):
                classifier += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
                before = width
            classifier.append(nn.MaxPool2d(2))
        self.classifier = nn.Sequential(*classifier, nn.Flatten(), nn.Linear(128 * 16, 128), nn.ReLU(), nn.Linear(128, self.CLASSES))
        self.fc = nn.Sequential(nn.Linear(self.LATENTS, 1024), nn.ReLU(), nn.BatchNorm1d(1024))
        decoder, before = [], 256
        for width, stride in [(256, 2), (256, 1), (128, 2), (64, 2), (32, 2)]:
            decoder += [nn.ConvTranspose2d(before, width, 5, stride, 2, output_padding=stride - 1), nn.ReLU(), nn.BatchNorm2d(width)]
            before = width
        self.decoder = nn.Sequential(*decoder, nn.ConvTranspose2d(before, 3, 1), nn.Sigmoid())
        relevant = (torch.arange(self.LATENTS) < self.RELEVANT).float()
        self.register_buffer("centres", (6 - 12 * torch.arange(self.CLASSES) / (self.CLASSES - 1))[:, None] * relevant)
        self.register_buffer("variances", (1 - 0.9 * relevant).expand(self.CLASSES, self.LATENTS).contiguous())

    def forward(self, x):
        features = self.encoder(x)
        shape = (-1, self.CLASSES, self.LATENTS)
        mu, log_var, logits = self.mu(features).view(shape) + self.centres, self.log_var(features).view(shape), self.classifier(x)
        samples = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        gumbel = -torch.log(-torch.log(torch.rand_like(logits).clamp(1e-7, 1 - 1e-7)))
        log_weights = F.log_softmax(logits, 1)
        z = (torch.softmax((log_weights + gumbel) / self.TEMPERATURE, 1)[:, :, None] * samples).sum(1)
        mean = self.decoder(self.fc(z).view(-1, 256, 2, 2).contiguous(memory_format=torch.channels_last))
        nll = 0.5 * ((x - mean) ** 2 / (x * (1 - x) + self.EPSILON)).flatten(1).sum(1)
        weights = log_weights.exp()
        component_kl = 0.5 * (((mu - self.centres) ** 2 + log_var.exp()) / self.variances + torch.log(self.variances) - log_var - 1).sum(2)
        kl = (weights * (log_weights + math.log(self.CLASSES))).sum(1) + (weights * component_kl).sum(1)
        return (nll + kl).mean()


def as_one_graph(step):
    """The step captured as one CUDA graph, after the warm-up on a side stream that capturing asks for."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def training(make, size, channels, batch):
    """Seconds of one training step of the model that make() gives: gather a batch, forward, backward, Adam."""

    def measure(mode, repetitions):
        torch.manual_seed(1)
        model = make().cuda().to(memory_format=torch.channels_last)
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True, capturable=True)
        data = torch.rand(max(4 * batch, 8192), channels, size, size, device="cuda").contiguous(memory_format=torch.channels_last)
        order = torch.randperm(len(data), device="cuda")[:batch]
        # A graph of the whole step holds the graphs of its parts, so those are left out of it.
        compile_modes = {"compiled": "max-autotune", "graph": "max-autotune-no-cudagraphs"}
        loss_of = model if mode == "eager" else torch.compile(model, mode=compile_modes[mode])

        def step():
            optimiser.zero_grad(set_to_none=True)
            loss_of(data[order]).backward()
            optimiser.step()

        seconds = median_seconds(as_one_graph(step) if mode == "graph" else step, repetitions)
        return {"seconds": seconds, "images_per_second": batch / seconds}

    measure.modes = ["eager", "compiled", "graph"]
    return measure


def information(points, factors):
    """Seconds of the information estimator, both moments and the logarithms, over encodings on the device."""

    def measure(mode, repetitions):
        mu, log_var = torch.randn(points, factors, device="cuda"), -torch.rand(points, factors, device="cuda")

        def estimate(mu, log_var):
            return 0.5 * (torch.log((torch.exp(log_var) + mu**2).mean(0)) - log_var.mean(0))

        f = torch.compile(estimate, mode="max-autotune") if mode == "compiled" else estimate
        seconds = median_seconds(lambda: f(mu, log_var), repetitions)
        return {"seconds": seconds, "bytes_per_second": 8.0 * points * factors / seconds}

    measure.modes = ["eager", "compiled"]
    return measure


def product(n):
    def measure(mode, repetitions):
        a, b = torch.randn(n, n, device="cuda"), torch.randn(n, n, device="cuda")
        f = torch.compile(torch.matmul, mode="max-autotune") if mode == "compiled" else torch.matmul
        seconds = median_seconds(lambda: f(a, b), repetitions)
        return {"seconds": seconds, "flops": 2.0 * n**3 / seconds}

    measure.modes = ["eager", "compiled"]
    return measure


WORKLOADS = {
    "mnist_conv_vae_batch_100": training(lambda: ConvVae(28, 1, [32, 32], 128), 28, 1, 100),
    "mnist_conv_vae_batch_4096": training(lambda: ConvVae(28, 1, [32, 32], 128), 28, 1, 4096),
    "celeba_conv_vae_batch_256": training(lambda: ConvVae(64, 3, [32, 32, 64, 64], 128), 64, 3, 256),
    "cifar_exon_batch_128": training(Exon, 32, 3, 128),
    "information_4000000x128": information(4_000_000, 128),
    "matmul_4096": product(4096),
}


def attempt(measure, mode, repetitions):
    """The measurement, or why there is none: one that fails does not take the others with it."""
    try:
        return measure(mode, repetitions)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(WORKLOADS), help="one workload")
    parser.add_argument("--repetitions", type=int, default=50)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch_gpu: PyTorch finds no CUDA device here")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    result = {"torch": torch.__version__, "cuda": torch.version.cuda, "device": torch.cuda.get_device_name(), "tf32": True, "workloads": {}}
    for name, measure in WORKLOADS.items():
        if arguments.only not in (None, name):
            continue
        result["workloads"][name] = {mode: attempt(measure, mode, arguments.repetitions) for mode in measure.modes}
        torch.cuda.empty_cache()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
