#!/usr/bin/env python3
"""Loads weights that `vae` wrote into PyTorch and compares the forward pass and the evaluation.

Needs python3-torch and python3-numpy. From the repository's root:

    vae="dotnet run -c Release --project Cli --"
    $vae train vae --epochs 1 --out runs/interop
    $vae export runs/interop --format safetensors --out runs/interop/weights.safetensors
    $vae encode runs/interop --out runs/interop/codes.npz
    $vae reconstruct runs/interop --images 1000 --out runs/interop/means.npz
    python3 Tests/Interop/torch_forward.py runs/interop

Compared, each within 1e-4 relative: mu, log variance and decoded mean of the first 1 000 test images; NLL, KL, EVLB and squared error of
evaluation.json over all 10 000, with the same noise: the draws are made here again from their definition (Philox4x32-10 and Box-Muller).
"""
import gzip
import json
import math
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

TOLERANCE = 1e-4
EVALUATION_BATCH = 500
FIRST_EVALUATION_STEP = 0x80000000


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    return {
        name: torch.from_numpy(np.frombuffer(data[slice(*e["data_offsets"])], "<f4").copy().reshape(e["shape"]))
        for name, e in header.items() if name != "__metadata__"
    }


def read_images(path):
    with gzip.open(path) as f:
        raw = f.read()
    n, h, w = struct.unpack(">3I", raw[4:16])
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=16).astype(np.float32).reshape(n, 1, h, w) / 255)


def philox(index, step, draw, stream, seed):
    """Four words for each element of index, as uint32 arrays."""
    c = [index.astype(np.uint64), np.full_like(index, step, np.uint64), np.full_like(index, draw, np.uint64), np.full_like(index, stream, np.uint64)]
    k0, k1, mask = seed & 0xFFFFFFFF, seed >> 32, np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & mask, (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def normal(n, step, seed):
    """n standard normal draws of draw 0 of a step, in element order."""
    words = philox(np.arange((n + 3) // 4, dtype=np.uint64), step, 0, 0, seed)
    u = [(w >> np.uint64(9)).astype(np.float64) * 2.0 ** -23 + 2.0 ** -24 for w in words]
    r0, r1 = np.sqrt(-2 * np.log(u[0])), np.sqrt(-2 * np.log(u[2]))
    a0, a1 = 2 * math.pi * u[1], 2 * math.pi * u[3]
    return np.stack([r0 * np.cos(a0), r0 * np.sin(a0), r1 * np.cos(a1), r1 * np.sin(a1)], 1).reshape(-1)[:n].astype(np.float32)


def encode(w, x):
    for i in (1, 2):
        x = F.relu(F.conv2d(x, w[f"encoder.conv{i}.weight"], w[f"encoder.conv{i}.bias"], 2, 1))
    h = F.relu(F.linear(x.flatten(1), w["encoder.fc.weight"], w["encoder.fc.bias"]))
    return F.linear(h, w["encoder.mu.weight"], w["encoder.mu.bias"]), F.linear(h, w["encoder.logvar.weight"], w["encoder.logvar.bias"])


def decode(w, z):
    h = F.relu(F.linear(z, w["decoder.fc1.weight"], w["decoder.fc1.bias"]))
    h = F.relu(F.linear(h, w["decoder.fc2.weight"], w["decoder.fc2.bias"])).view(-1, 32, 7, 7)
    h = F.relu(F.conv_transpose2d(h, w["decoder.deconv1.weight"], w["decoder.deconv1.bias"], 2, 1))
    return F.conv_transpose2d(h, w["decoder.deconv2.weight"], w["decoder.deconv2.bias"], 2, 1)


def main(run):
    weights = os.path.join(run, "weights.safetensors")
    w = read_safetensors(weights if os.path.exists(weights) else os.path.join(run, "model.safetensors"))
    evaluation = json.load(open(os.path.join(run, "evaluation.json")))
    seed = json.load(open(os.path.join(run, "config.json")))["seed"]
    x = read_images("datasets/mnist/t10k-images-idx3-ubyte.gz")
    s2 = math.exp(2 * w["noise.log_sigma"].item())
    worst = 0.0

    def compare(name, ours, theirs):
        nonlocal worst
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        error = np.abs(ours - theirs).max() / np.abs(theirs).max()
        worst = max(worst, error)
        print(f"{name:<14} relative error {error:.1e}")

    with torch.no_grad():
        codes, means = np.load(os.path.join(run, "codes.npz")), np.load(os.path.join(run, "means.npz"))
        mu, logvar = encode(w, x[:1000])
        compare("mu", codes["mu"][:1000], mu)
        compare("logvar", codes["logvar"][:1000], logvar)
        compare("decoded mean", means["means"].reshape(1000, -1), decode(w, mu).flatten(1))
        nll = kl = error = 0.0
        for b in range(0, len(x), EVALUATION_BATCH):
            batch = x[b:b + EVALUATION_BATCH]
            mu, logvar = encode(w, batch)
            eps = torch.from_numpy(normal(mu.numel(), FIRST_EVALUATION_STEP + b // EVALUATION_BATCH, seed)).view_as(mu)
            g = decode(w, mu + torch.exp(logvar / 2) * eps)
            nll += (0.5 * ((batch - g).double() ** 2 / s2 + math.log(2 * math.pi * s2))).sum().item()
            kl += (0.5 * (logvar.exp() + mu ** 2 - 1 - logvar).double()).sum().item()
            error += ((batch - decode(w, mu)).double() ** 2).sum().item()
        n = len(x)
        compare("NLL", evaluation["nll_nats"], nll / n)
        compare("KL", evaluation["kl_nats"], kl / n)
        compare("EVLB", evaluation["evlb_nats"], -(nll + kl) / n)
        compare("squared error", evaluation["squared_error"], error / n)
    print("all within" if worst <= TOLERANCE else "NOT within", TOLERANCE)
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
