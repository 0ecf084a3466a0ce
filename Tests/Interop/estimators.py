"""Values of the estimators, computed with NumPy alone and without a look at the C# code's shortcuts.

Tests/Estimators/NumPyTests.cs holds the numbers that this prints; run it again when an estimator's definition changes:

    python3 Tests/Interop/estimators.py
"""
import numpy as np


def uniform(n, salt):
    """SplitMix64 of salt * 2^32 + i, its upper 24 bits as a number in [0, 1): the same bits as Synthetic.Uniform in C#."""
    x = (np.arange(n, dtype=np.uint64) + np.uint64(salt << 32)) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(40)).astype(np.float64) / (1 << 24)


def labelled_codes(m=2000):
    """Six codes of four factors: clean, mixed, clean, noise, a category, a dead one."""
    sizes = [3, 5, 4, 8]
    f = np.stack([np.floor(uniform(m, 10 + k) * s).astype(int) for k, s in enumerate(sizes)], 1)
    n = np.stack([uniform(m, 20 + h) - 0.5 for h in range(6)], 1)
    shape = np.array([0.0, 1.0, -1.0])[f[:, 0]]
    codes = np.stack([f[:, 1] / 4 + 0.3 * n[:, 0], 0.8 * f[:, 2] / 3 + 0.5 * f[:, 3] / 7 + 0.2 * n[:, 1], f[:, 3] / 7 + 0.3 * f[:, 1] / 4 + 0.1 * n[:, 2],
                      n[:, 3], shape + 0.4 * f[:, 2] / 3 + 0.9 * n[:, 4], 0.02 * n[:, 5]], 1)
    return codes.astype(np.float32), f, sizes


def entangled_codes(m=2000):
    """Two factors turned by 45 degrees, two nearly clean, one dead: scores between guessing and perfect."""
    f = labelled_codes(m)[1]
    a, b, c, d = [f[:, k] / s for k, s in enumerate([2, 4, 3, 7])]
    n = np.stack([uniform(m, 80 + h) - 0.5 for h in range(5)], 1)
    codes = np.stack([a + b + 0.3 * n[:, 0], a - b + 0.3 * n[:, 1], c + 0.8 * d + 0.3 * n[:, 2], d + 0.4 * c + 0.3 * n[:, 3], 0.02 * n[:, 4]], 1)
    return codes.astype(np.float32), f


def entropy(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def discrete_information(a, b):
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1)
    joint /= len(a)
    return entropy(joint.sum(1)) + entropy(joint.sum(0)) - entropy(joint.ravel())


def binned(codes, f):
    info = np.zeros((codes.shape[1], f.shape[1]))
    for h in range(codes.shape[1]):
        x = codes[:, h].astype(np.float64)
        bins = np.clip(np.digitize(x, np.histogram(x, 20)[1][:-1]) - 1, 0, 19)
        for k in range(f.shape[1]):
            info[h, k] = discrete_information(bins, f[:, k])
    return info


def mig(info, f):
    ordered = np.sort(info, 0)
    return np.mean([(ordered[-1, k] - ordered[-2, k]) / entropy(np.bincount(f[:, k]) / len(f)) for k in range(f.shape[1])])


def modularity(info):
    squared = info ** 2
    best = squared.max(1)
    return np.mean(1 - (squared.sum(1) - best) / (best * (info.shape[1] - 1)))


def sap(codes, f, categorical):
    codes = codes.astype(np.float64)
    half = len(codes) // 2
    gaps = []
    for k in range(f.shape[1]):
        scores = []
        for h in range(codes.shape[1]):
            if not categorical[k]:
                scores.append(np.corrcoef(codes[:, h], f[:, k])[0, 1] ** 2)
                continue
            values = np.unique(f[:, k])
            means = np.array([codes[:half][f[:half, k] == v, h].mean() for v in values])
            guess = values[np.abs(codes[half:, h, None] - means).argmin(1)]
            scores.append(np.mean([(guess[f[half:, k] == v] == v).mean() for v in values]))
        scores = np.sort(scores)
        gaps.append(scores[-1] - scores[-2])
    return np.mean(gaps)


def lasso(x, y, penalty):
    """By proximal gradient steps, another algorithm than the C# code's."""
    w = np.zeros(x.shape[1])
    step = 1 / np.linalg.eigvalsh(x.T @ x / len(x)).max()
    for _ in range(20000):
        w = w - step * (x.T @ (x @ w - y) / len(x))
        w = np.sign(w) * np.maximum(np.abs(w) - step * penalty, 0)
    return w


def dci(codes, f, penalty):
    half = len(codes) // 2
    x = codes.astype(np.float64)
    x = (x - x[:half].mean(0)) / x[:half].std(0)
    importance, informativeness = [], []
    for k in range(f.shape[1]):
        y = (f[:, k] - f[:half, k].mean()) / f[:half, k].std()
        w = lasso(x[:half], y[:half], penalty)
        importance.append(np.abs(w))
        informativeness.append(max(0, 1 - ((y[half:] - x[half:] @ w) ** 2).mean() / y[half:].var()))
    r = np.stack(importance, 1)
    weight = r.sum(1) / r.sum()
    d = sum(weight[h] * (1 - entropy(r[h] / r[h].sum()) / np.log(r.shape[1])) for h in range(len(r)) if r[h].sum() > 0)
    c = np.mean([1 - entropy(r[:, k] / r[:, k].sum()) / np.log(r.shape[0]) for k in range(r.shape[1])])
    return d, c, np.mean(informativeness)


def factor_vae(codes, f, rng, votes=20000, batch=64):
    scale = codes.astype(np.float64).var(0)
    keep = np.where(scale >= 0.05)[0]
    table = np.zeros((codes.shape[1], f.shape[1]))
    for _ in range(votes):
        k = rng.integers(f.shape[1])
        rows = rng.choice(np.where(f[:, k] == rng.integers(f[:, k].max() + 1))[0], batch)
        table[keep[(codes[rows][:, keep].var(0) / scale[keep]).argmin()], k] += 1
    return table.max(1).sum() / votes


def beta_vae(codes, f, rng, count=4000, pairs=64):
    def draw(n):
        x, y = np.zeros((n, codes.shape[1])), rng.integers(f.shape[1], size=n)
        for i in range(n):
            for _ in range(pairs):
                rows = rng.choice(np.where(f[:, y[i]] == rng.integers(f[:, y[i]].max() + 1))[0], 2)
                x[i] += np.abs(codes[rows[0]].astype(np.float64) - codes[rows[1]]) / pairs
        return x, y
    (x, y), (xt, yt) = draw(count), draw(count)
    centre, scale = x.mean(0), x.std(0)
    x, xt = [np.hstack([(a - centre) / scale, np.ones((len(a), 1))]) for a in (x, xt)]
    w = np.zeros((x.shape[1], f.shape[1]))
    for _ in range(5000):
        p = np.exp(x @ w - (x @ w).max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        w -= 0.5 * (x.T @ (p - np.eye(f.shape[1])[y]) / len(x) + 1e-4 * w)
    return ((xt @ w).argmax(1) == yt).mean()


def psi(n):
    return -0.5772156649015329 + np.sum(1 / np.arange(1, n))


def kraskov(x, y, k):
    n = len(x)
    x, y = x / x.std(0), y / y.std(0)
    dx, dy = [np.abs(a[:, None] - a[None]).max(2) for a in (x, y)]
    d = np.maximum(dx, dy)
    np.fill_diagonal(d, np.inf)
    radius = np.sort(d, 1)[:, k - 1:k]
    nx, ny = (dx < radius).sum(1), (dy < radius).sum(1)
    return psi(k) + psi(n) - np.mean([psi(a) + psi(b) for a, b in zip(nx, ny)])


def encodings(m=400, h=5, k=3):
    mu = np.stack([(uniform(m, 40 + i) - 0.5) * 2 * i for i in range(h)], 1)
    logvar = np.stack([-i + (uniform(m, 50 + i) - 0.5) for i in range(h)], 1)
    mu[:, 4] += mu[:, 3]
    p = np.stack([0.05 + uniform(m, 60 + i) ** 3 for i in range(k)], 1)
    return mu.astype(np.float32).astype(np.float64), logvar.astype(np.float32).astype(np.float64), (p / p.sum(1, keepdims=True)).astype(np.float32).astype(np.float64)


def mixture(mu, logvar, p, rng, draws):
    m, h = mu.shape
    def lse(a, axis):
        top = a.max(axis, keepdims=True)
        return np.log(np.exp(a - top).sum(axis)) + np.squeeze(top, axis)
    out = []
    for _ in range(draws):
        z = mu + np.exp(logvar / 2) * rng.standard_normal((m, h))
        terms = -0.5 * (np.log(2 * np.pi) + logvar[None] + (z[:, None] - mu[None]) ** 2 / np.exp(logvar[None]))
        own = terms[np.arange(m), np.arange(m)]
        marginal = lse(terms, 1) - np.log(m)
        joint = lse(terms.sum(2), 1) - np.log(m)
        y = np.array([rng.choice(p.shape[1], p=row / row.sum()) for row in p])
        pair = np.log(p[:, y]).T
        both = lse(terms.sum(2) + pair, 1) - np.log(m)
        prior = -0.5 * (np.log(2 * np.pi) + z ** 2)
        out.append(np.concatenate([(own - marginal).mean(0), (marginal - prior).mean(0),
                                   [(own.sum(1) - joint).mean(), (joint - marginal.sum(1)).mean(),
                                    (own.sum(1) + np.log(p[np.arange(m), y]) - both).mean(), (both - np.log(p.mean(0)[y]) - marginal.sum(1)).mean()]]))
    return np.mean(out, 0)


def ssim(a, b, data_range):
    g = np.exp(-0.5 * (np.arange(11) - 5) ** 2 / 1.5 ** 2)
    window = np.outer(g, g) / np.outer(g, g).sum()
    views = [np.lib.stride_tricks.sliding_window_view(v, (11, 11), (0, 1)) for v in (a, b)]
    mean = [np.einsum('...ij,ij', v, window) for v in views]
    var = [np.einsum('...ij,ij', (v - m[..., None, None]) ** 2, window) for v, m in zip(views, mean)]
    cov = np.einsum('...ij,ij', (views[0] - mean[0][..., None, None]) * (views[1] - mean[1][..., None, None]), window)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * mean[0] * mean[1] + c1) * (2 * cov + c2) / ((mean[0] ** 2 + mean[1] ** 2 + c1) * (var[0] + var[1] + c2))).mean()


def images(n=7, height=14, width=17, channels=2):
    flat = uniform(n * height * width * channels, 70).reshape(n, height, width, channels)
    ramp = np.linspace(0, 1, width)[None, None, :, None] * np.arange(n)[:, None, None, None] / n
    return (0.4 * flat + 0.6 * ramp).astype(np.float32).astype(np.float64)


def main():
    codes, f, sizes = labelled_codes()
    categorical = [True, False, False, False]
    info = binned(codes, f)
    print('information[0, 1], [1, 2], [4, 0]', info[0, 1], info[1, 2], info[4, 0])
    print('mig', mig(info, f))
    print('modularity', modularity(info))
    print('sap', sap(codes, f, categorical))
    print('dci', *dci(codes, f, 0.02))
    rng = np.random.default_rng(1)
    mixed, f = entangled_codes()
    print('factor_vae', factor_vae(mixed, f, rng, batch=8))
    print('beta_vae', beta_vae(mixed, f, rng, pairs=8))
    x = np.stack([uniform(1000, 30), uniform(1000, 31)], 1).astype(np.float32).astype(np.float64)
    y = (x[:, :1] * x[:, 1:] + 0.1 * uniform(1000, 32)[:, None]).astype(np.float32).astype(np.float64)
    print('kraskov', kraskov(x, y, 3))
    mu, logvar, p = encodings()
    var = np.exp(logvar)
    print('I2', *(0.5 * (np.log((var + mu ** 2).mean(0)) - logvar.mean(0))))
    print('I4', *(0.5 * (np.log(var.mean(0) + mu.var(0)) - logvar.mean(0))))
    print('I5', *(0.5 * np.log(1 + mu.var(0) / var.mean(0))))
    print('D1', 0.5 * (var + mu ** 2 - 1 - logvar).sum(1).mean())
    print('C3', entropy(p.mean(0)) - np.mean([entropy(row) for row in p]))
    print('mixture', *mixture(mu, logvar, p, rng, 200))
    pictures = images()
    n = len(pictures)
    pairs = np.array([[np.mean([ssim(pictures[i, ..., c], pictures[j, ..., c], 1) for c in range(2)]) for j in range(n)] for i in range(n)])
    print('ssim[0, 1]', pairs[0, 1], 'with self', pairs.mean(), 'without', (pairs.sum() - np.trace(pairs)) / (n * (n - 1)))


if __name__ == '__main__':
    main()
