"""Runs in PyTorch for the bank on which the screen is judged: several families, radii and seeds.

    python runs.py FAMILY OUTPUT [--data MNIST_FOLDER]

A family's runs train side by side: every tensor has a leading axis over them, so one gradient of
the sum of their losses is the gradient of each. Rows are those of `metrics.jsonl`, every so many
steps, with what the counterfactual probe saw beside them. After the budget each SAM run goes on
for half of it again; its twin without SAM (rho = 0) has the same start, batches and optimizer. The
label of a run comes from these losses alone (see bank.ts).
"""

import argparse
import gzip
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(1)


def uniform(rng, runs, *shape, bound):
    return (2 * torch.rand((runs, *shape), generator=rng) - 1) * bound


def dense(rng, seeds, wide, out):
    """Weights and biases as torch.nn.Linear draws them."""
    bound = 1 / math.sqrt(wide)
    return uniform(rng, seeds, wide, out, bound=bound), uniform(rng, seeds, 1, out, bound=bound)


def linear(x, weight, bias):
    return x @ weight + bias


def cross_entropy(logits, y):
    """Mean loss per run: logits [runs, batch, classes], y [batch]."""
    runs, batch, classes = logits.shape
    flat = F.cross_entropy(logits.reshape(-1, classes), y.repeat(runs), reduction="none")
    return flat.reshape(runs, batch).mean(1)


def images(folder, count):
    """MNIST, 2×2 means, as lucid's `--pool 2` makes them."""
    def read(name, header):
        raw = gzip.open(pathlib.Path(folder) / name).read()
        return np.frombuffer(raw, np.uint8, offset=header)
    x = read("train-images-idx3-ubyte.gz", 16)[: count * 784].reshape(count, 14, 2, 14, 2)
    x = (x.astype(np.float32).mean((2, 4)) / 255 - 0.1307) / 0.3081
    y = read("train-labels-idx1-ubyte.gz", 8)[:count].astype(np.int64)
    return torch.tensor(x.reshape(count, 196)), torch.tensor(y)


class Family:
    momentum, decay, adam, batch, dtype = 0.0, 0.0, False, None, torch.float32
    probe = None  # samples of the fixed batch that rows are taken on; None: the step's own batch


class Addition(Family):
    """One transformer block on a + b modulo 23, AdamW."""
    name, adam, rate, decay, steps, every = "addition", True, 2e-3, 0.01, 1500, 10
    batch, probe, k, guess = 128, 256, 8, math.log(23)
    rhos, seeds = [0.02, 0.1, 0.3, 1.0, 2.0, 4.0], 3

    def __init__(self, _):
        a, b = torch.meshgrid(torch.arange(23), torch.arange(23), indexing="ij")
        order = torch.randperm(529, generator=torch.Generator().manual_seed(7))
        self.x = torch.stack([a.ravel(), b.ravel()], 1)[order]
        self.y = ((a + b) % 23).ravel()[order]

    def init(self, rng, n):
        d = 32
        p = {"token": torch.randn((n, 23, d), generator=rng) * 0.5,
             "place": torch.randn((n, 2, d), generator=rng) * 0.5}
        for name, shape in dict(q=(d, d), k=(d, d), v=(d, d), o=(d, d), up=(d, 4 * d), down=(4 * d, d), head=(d, 23)).items():
            p[name], p[name + "_b"] = dense(rng, n, *shape)
        return p

    def loss(self, p, x, y):
        n, d = p["token"].shape[0], 32
        h = p["token"][:, x] + p["place"][:, None]  # [runs, batch, 2, d]
        flat = lambda t: t.reshape(n, -1, t.shape[-1])
        norm = lambda t: F.layer_norm(t, (d,))
        z = norm(h)
        q, k, v = (linear(flat(z), p[i], p[i + "_b"]).reshape(h.shape) for i in "qkv")
        attention = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(d), -1)
        h = h + linear(flat(attention @ v), p["o"], p["o_b"]).reshape(h.shape)
        up = torch.relu(linear(flat(norm(h)), p["up"], p["up_b"]))
        h = h + linear(up, p["down"], p["down_b"]).reshape(h.shape)
        return cross_entropy(linear(norm(h[:, :, 1]), p["head"], p["head_b"]), y)


class Conv(Family):
    """Two convolutions with batch normalization, SGD with momentum, mini-batches."""
    name, rate, momentum, decay, steps, every, batch, probe = "conv", 0.02, 0.9, 5e-4, 600, 4, 50, 200
    k, guess, rhos, seeds = 8, math.log(10), [0.05, 0.5, 2.0, 5.0, 10.0], 3

    def __init__(self, folder):
        self.x, self.y = images(folder, 600)

    def init(self, rng, n):
        p = {"a": uniform(rng, n, 9, 8, bound=1 / 3), "b": uniform(rng, n, 72, 16, bound=1 / math.sqrt(72))}
        for name, width in dict(a=8, b=16).items():
            p[name + "_scale"], p[name + "_shift"] = torch.ones(n, 1, width), torch.zeros(n, 1, width)
        p["head"], p["head_b"] = dense(rng, n, 64, 10)
        return p

    def loss(self, p, x, y):
        n, size = p["a"].shape[0], x.shape[0]
        def block(h, name):  # h [runs, batch · places, inputs]
            h = h @ p[name]
            mean, var = h.mean(1, keepdim=True), h.var(1, keepdim=True, unbiased=False)
            return torch.relu((h - mean) / torch.sqrt(var + 1e-5) * p[name + "_scale"] + p[name + "_shift"])
        h = F.unfold(x.reshape(size, 1, 14, 14), 3, stride=2, padding=1)  # [batch, 9, 49]
        h = block(h.transpose(1, 2).reshape(1, size * 49, 9), "a")
        h = h.reshape(n * size, 7, 7, 8).permute(0, 3, 1, 2)
        h = F.unfold(h, 3, stride=2, padding=1).transpose(1, 2).reshape(n, size * 16, 72)
        h = block(h, "b").reshape(n, size, 2, 2, 2, 2, 16).mean((3, 5)).reshape(n, size, 64)
        return cross_entropy(linear(h, p["head"], p["head_b"]), y)


class Relu(Family):
    """ReLU network 196-48-48-10, mini-batches, momentum."""
    name, rate, momentum, steps, every, batch, probe = "relu", 0.02, 0.9, 1500, 10, 50, 300
    k, guess, rhos, seeds = 8, math.log(10), [0.05, 0.5, 1.0, 2.0, 3.0], 3

    def __init__(self, folder):
        self.x, self.y = images(folder, 600)

    activation = staticmethod(torch.relu)
    widths = [196, 48, 48, 10]

    def init(self, rng, n):
        p = {}
        for i, (wide, out) in enumerate(zip(self.widths, self.widths[1:])):
            p[f"w{i}"], p[f"b{i}"] = dense(rng, n, wide, out)
        return p

    def forward(self, p, x):
        last = len(self.widths) - 2
        for i in range(last):
            x = self.activation(linear(x, p[f"w{i}"], p[f"b{i}"]))
        return linear(x, p[f"w{last}"], p[f"b{last}"])

    def loss(self, p, x, y):
        return cross_entropy(self.forward(p, x), y)


class Tanh(Relu):
    """tanh network 196-32-10, full batch, plain steps."""
    name, rate, momentum, steps, every, batch, probe = "tanh", 0.02, 0.0, 3000, 10, None, None
    rhos, widths, activation = [0.1, 0.5, 1.0, 2.0, 3.0, 4.0], [196, 32, 10], staticmethod(torch.tanh)

    def __init__(self, folder):
        self.x, self.y = images(folder, 300)


class Edge(Tanh):
    """The same at radii where some starts stall and some do not."""
    name, rhos, seeds = "edge", [1.1, 1.2, 1.3, 1.4, 1.5], 4


class Regression(Family):
    """a·tanh(4(wx + b)) + c with two hidden units, squared error with a penalty."""
    name, rate, steps, every, k, guess, dtype = "regression", 0.01, 12000, 20, 16, None, torch.float64
    rhos, seeds = [0.05, 0.3, 1.0, 1.5, 2.0, 3.0], 4

    def __init__(self, _):
        x = np.random.default_rng(1).uniform(-1, 1, 16)
        self.x = torch.tensor(x)[:, None]
        self.y = torch.tensor(np.sin(3 * x) + x / 2)
        self.guess = float(self.y.var(unbiased=False))

    def init(self, rng, n):
        return {"p": torch.randn((n, 7), generator=rng) * 0.6}

    def loss(self, p, x, y):
        w, b, a, c = p["p"][:, None, 0:2], p["p"][:, None, 2:4], p["p"][:, None, 4:6], p["p"][:, 6:]
        out = (a * torch.tanh(4 * (w * x + b))).sum(-1) + c
        return ((out - y) ** 2).mean(1) + 0.003 * (p["p"] ** 2).sum(1) / 2


class Chars(Relu):
    """Next character from the six before it, GELU, AdamW, mini-batches whose own rows are kept."""
    name, adam, rate, momentum, decay, steps, every, batch = "chars", True, 2e-3, 0.0, 0.01, 1500, 5, 64
    probe, k, rhos, seeds = None, 8, [0.02, 0.1, 0.5, 2.0, 4.0, 8.0], 3

    def __init__(self, _):
        text = (pathlib.Path(__file__).parent / "../../LICENSE").read_text()
        letters = sorted(set(text))
        codes = torch.tensor([letters.index(c) for c in text])
        self.x, self.y = codes[:-1].unfold(0, 6, 1)[:1000], codes[6:][:1000]
        share = torch.bincount(self.y, minlength=len(letters)) / len(self.y)
        self.guess = float(-(share[share > 0] * share[share > 0].log()).sum())
        self.letters, self.widths = len(letters), [48, 64, len(letters)]

    activation = staticmethod(F.gelu)

    def init(self, rng, n):
        return super().init(rng, n) | {"letter": torch.randn((n, self.letters, 8), generator=rng)}

    def loss(self, p, x, y):
        return cross_entropy(self.forward(p, p["letter"][:, x].flatten(2)), y)


class Autoencoder(Relu):
    """ELU autoencoder 196-24-8-24-196, squared error, momentum, full batch."""
    name, rate, momentum, steps, every, batch, probe = "autoencoder", 0.05, 0.9, 1500, 5, None, None
    k, rhos, widths, activation = 8, [0.05, 0.5, 1.0, 2.0, 4.0, 8.0], [196, 24, 8, 24, 196], staticmethod(F.elu)

    def __init__(self, folder):
        self.x, _ = images(folder, 200)
        self.y = self.x
        self.guess = float(self.x.var(0, unbiased=False).mean())

    def loss(self, p, x, y):
        return ((self.forward(p, x) - y) ** 2).mean((1, 2))


class Residual(Relu):
    """Residual network with layer normalization, SiLU, AdamW, mini-batches."""
    name, adam, rate, momentum, decay, steps, every, batch, probe = "residual", True, 1e-3, 0.0, 0.01, 1000, 8, 50, 300
    rhos = [0.05, 0.3, 1.0, 2.0, 4.0, 8.0]

    def init(self, rng, n):
        p = {}
        for name, wide, out in [("in", 196, 32), ("a", 32, 32), ("b", 32, 32), ("out", 32, 10)]:
            p[name], p[name + "_b"] = dense(rng, n, wide, out)
        return p

    def forward(self, p, x):
        h = linear(x, p["in"], p["in_b"])
        for name in "ab":
            h = h + F.silu(linear(F.layer_norm(h, (32,)), p[name], p[name + "_b"]))
        return linear(F.layer_norm(h, (32,)), p["out"], p["out_b"])


class Spirals(Relu):
    """Three spirals in the plane, tanh network 2-24-24-3, momentum, full batch, sparse rows."""
    name, rate, momentum, steps, every, batch, probe = "spirals", 0.03, 0.9, 4000, 20, None, None
    guess, rhos, seeds, widths, activation = math.log(3), [0.05, 0.3, 1.0, 1.7, 2.5, 4.0], 4, [2, 24, 24, 3], staticmethod(torch.tanh)

    def __init__(self, _):
        t = torch.linspace(0.1, 1, 60)
        angle = torch.cat([3.5 * t + 2 * math.pi * i / 3 for i in range(3)])
        self.x = 2 * torch.stack([torch.cos(angle), torch.sin(angle)], 1) * t.repeat(3)[:, None]
        self.y = torch.arange(3).repeat_interleave(60)


class SpiralsEdge(Spirals):
    """The same at radii where some starts stall and some do not."""
    name, rhos, seeds = "spirals-edge", [1.2, 1.4, 1.7, 3.0, 5.0], 8


class Sines(Relu):
    """Noisy sums of products of sines in six variables, GELU network, AdamW, mini-batches."""
    name, adam, rate, momentum, decay, steps, every, batch, probe = "sines", True, 2e-3, 0.0, 0.01, 1200, 6, 32, 200
    rhos, seeds, widths, activation = [0.05, 0.3, 1.0, 2.0, 4.0, 8.0], 3, [6, 48, 48, 1], staticmethod(F.gelu)

    def __init__(self, _):
        rng = np.random.default_rng(3)
        x = rng.uniform(-1, 1, (300, 6))
        y = (np.sin(3 * x) * np.roll(x, 1, axis=1)).sum(1) + 0.2 * rng.standard_normal(300)
        self.x, self.y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        self.guess = float(self.y.var(unbiased=False))

    def loss(self, p, x, y):
        return ((self.forward(p, x)[:, :, 0] - y) ** 2).mean(1)


class Noisy(Relu):
    """ReLU network 196-24-10 on labels of which three in ten are wrong, with a penalty: it cannot end near 0."""
    name, rate, momentum, decay, steps, every, batch, probe = "noisy", 0.05, 0.9, 5e-3, 1200, 10, None, None
    rhos, widths = [0.05, 0.2, 0.5, 1.0, 2.0, 4.0], [196, 24, 10]

    def __init__(self, folder):
        super().__init__(folder)
        rng = np.random.default_rng(4)
        wrong = torch.tensor(rng.random(600) < 0.3)
        self.y = torch.where(wrong, torch.tensor(rng.integers(0, 10, 600)), self.y)


families = {
    f.name: f
    for f in [
        Addition, Conv, Relu, Tanh, Edge, Regression, Chars, Autoencoder, Residual, Spirals, SpiralsEdge,
        Sines, Noisy,
    ]
}


def norm(tree):
    return torch.sqrt(sum((t * t).flatten(1).sum(1) for t in tree.values()))


def along(v, like):
    return v.reshape(-1, *[1] * (like.dim() - 1))


class Steps:
    """The outer optimizer: SGD with momentum, or AdamW."""

    def __init__(self, family, params):
        self.f, self.t = family, 0
        self.m = {k: torch.zeros_like(v) for k, v in params.items()}
        self.s = {k: torch.zeros_like(v) for k, v in params.items()} if family.adam else {}

    def copy(self):
        other = object.__new__(Steps)
        other.f, other.t, other.m, other.s = self.f, self.t, dict(self.m), dict(self.s)
        return other

    def move(self, params, direction):
        f, self.t, out = self.f, self.t + 1, {}
        for k, p in params.items():
            v = direction[k]
            if f.adam:
                self.m[k] = 0.9 * self.m[k] + 0.1 * v
                self.s[k] = 0.999 * self.s[k] + 0.001 * v * v
                hat = (self.m[k] / (1 - 0.9**self.t)) / (torch.sqrt(self.s[k] / (1 - 0.999**self.t)) + 1e-8)
                out[k] = p - f.rate * (hat + f.decay * p)
            else:
                self.m[k] = f.momentum * self.m[k] + v + f.decay * p
                out[k] = p - f.rate * self.m[k]
        return out


def finite(value):
    """JSON has no numbers that are not finite: they become null."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("family", choices=families)
    parser.add_argument("output")
    parser.add_argument("--data")
    options = parser.parse_args()
    f = families[options.family](options.data)
    runs = [(rho, seed) for rho in f.rhos for seed in range(f.seeds)] + [(0.0, s) for s in range(f.seeds)]
    starts = [f.init(torch.Generator().manual_seed(1000 + s), 1) for s in range(f.seeds)]
    params = {k: torch.cat([starts[s][k] for _, s in runs]).to(f.dtype) for k in starts[0]}
    rho = torch.tensor([r for r, _ in runs], dtype=f.dtype)

    def gradient(p, x, y):
        p = {k: v.detach().requires_grad_() for k, v in p.items()}
        losses = f.loss(p, x, y)
        return losses.detach(), dict(zip(p, torch.autograd.grad(losses.sum(), list(p.values()))))

    def both(p, x, y):
        loss, g = gradient(p, x, y)
        scale = rho / torch.clamp(norm(g), min=1e-30)
        shifted, g_plus = gradient({k: v + along(scale, v) * g[k] for k, v in p.items()}, x, y)
        return loss, g, shifted, g_plus

    order_rng = torch.Generator().manual_seed(5)
    size, order = len(f.x), []
    optimizer, x0 = Steps(f, params), norm(params)
    rows, totals = [[] for _ in runs], {}
    total = f.steps + f.steps // 2
    probe_rows = slice(0, f.probe) if f.probe else None
    for t in range(total + 1):
        if t in (0, f.steps, total):
            totals[t] = gradient(params, f.x, f.y)[0].tolist()
        if f.batch:
            if len(order) < f.batch:
                order = torch.randperm(size, generator=order_rng)
            pick, order = order[: f.batch], order[f.batch:]
            x, y = f.x[pick], f.y[pick]
        else:
            x, y = f.x, f.y
        step = both(params, x, y)
        if t < f.steps and t % f.every == 0:
            loss, g, shifted, g_plus = both(params, f.x[probe_rows], f.y[probe_rows]) if f.probe else step
            a, b = norm(g), norm(g_plus)
            inner = sum((g[k] * g_plus[k]).flatten(1).sum(1) for k in g)
            columns = [loss, shifted, a, b, inner / torch.clamp(a * b, min=1e-30)]
            # The counterfactual: k steps of the same optimizer along g, in a copy, on the rows' batch.
            if t % (8 * f.every) == 0:
                where = (f.x[probe_rows], f.y[probe_rows]) if f.probe else (x, y)
                copy, theirs = optimizer.copy(), params
                for _ in range(f.k):
                    theirs = copy.move(theirs, gradient(theirs, *where)[1])
                columns.append(gradient(theirs, *where)[0])
            for i, row in enumerate(torch.stack(columns, 1).tolist()):
                rows[i].append([t, *row])
        params = optimizer.move(params, step[3])
    with gzip.open(options.output, "wt") as out:
        for i, (r, s) in enumerate(runs):
            header = dict(family=f.name, rho=r, seed=s, steps=f.steps, every=f.every, guess=f.guess, k=f.k,
                          probe=bool(f.probe) or f.batch is None, start=totals[0][i], end=totals[f.steps][i],
                          later=totals[total][i], x0=x0[i].item())
            out.write(json.dumps(finite(dict(header, rows=rows[i]))) + "\n")


main()
