"""Numbers of docs/sam-does-not-train.md: what recorders say of a stuck run, and what they cost.

    LUCID_DATA=folder python scripts/pytorch-numbers.py runs OUT     logs for `lucid screen`
    python scripts/pytorch-numbers.py cost                           CPU time of recording

`runs` needs MNIST's files in LUCID_DATA/mnist.
"""

import gzip
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

import torch
from torch import nn

from lucid_sam import Probe, Watch

torch.set_num_threads(1)
criterion = nn.CrossEntropyLoss()


class SAM:
    """The two steps of a class of SAM, around SGD."""

    def __init__(self, params, rho, **options):
        self.params = list(params)
        self.base_optimizer = torch.optim.SGD(self.params, **options)
        self.param_groups = self.base_optimizer.param_groups
        self.param_groups[0]["rho"] = rho

    @torch.no_grad()
    def first_step(self, zero_grad=True):
        norm = torch.stack([p.grad.norm() for p in self.params]).norm()
        self.old = [p.clone() for p in self.params]
        for p in self.params:
            p.add_(p.grad, alpha=float(self.param_groups[0]["rho"] / norm))
        self.base_optimizer.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=True):
        for p, old in zip(self.params, self.old):
            p.copy_(old)
        self.base_optimizer.step()
        self.base_optimizer.zero_grad()


def step_of(model, optimizer, x, y, watch=None):
    for name, step in (("first", optimizer.first_step), ("second", optimizer.second_step)):
        loss = criterion(model(x), y)
        loss.backward()
        if watch is not None:
            getattr(watch, name)(loss)
        step(zero_grad=True)


def mnist():
    """500 images, 2×2 means, as lucid's `--pool 2` makes them."""

    def read(name, header, count):
        with gzip.open(os.path.join(os.environ["LUCID_DATA"], "mnist", name)) as file:
            return torch.frombuffer(bytearray(file.read(header + count)[header:]), dtype=torch.uint8)

    x = read("train-images-idx3-ubyte.gz", 16, 500 * 784).view(500, 14, 2, 14, 2).float()
    x = (x.mean((2, 4)) / 255 - 0.1307) / 0.3081
    return x.reshape(500, 196), read("train-labels-idx1-ubyte.gz", 8, 500).long()


def tanh_network():
    return nn.Sequential(nn.Linear(196, 64), nn.Tanh(), nn.Linear(64, 10))


def runs(folder):
    """Batch 50, momentum 0.9: stuck at ρ = 2, fine at 0.05 and 0.5."""
    os.makedirs(folder, exist_ok=True)
    x, y = mnist()
    for seed in range(5):
        for rho in (2, 0.05, 0.5):
            torch.manual_seed(seed)
            model = tanh_network()
            optimizer = SAM(model.parameters(), rho, lr=0.01, momentum=0.9)
            path = os.path.join(folder, f"rho-{rho}-seed-{seed}.jsonl")
            probe = Probe(model, criterion, (x, y), optimizer, path=path, every=10)
            order = torch.Generator().manual_seed(seed)
            for _ in range(300):
                for rows in torch.randperm(500, generator=order).split(50):
                    step_of(model, optimizer, x[rows], y[rows])
                    probe()
            probe.close()
            print(path, flush=True)


class Block(nn.Module):
    def __init__(self, into, out, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(into, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.way = nn.Conv2d(into, out, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.way(x))


def residual_network():
    """ResNet-20 of He et al. 2015, for 32×32 images."""
    blocks = [Block(16, 16, 1) for _ in range(3)]
    for into, out in ((16, 32), (32, 64)):
        blocks += [Block(into, out, 2), Block(out, out, 1), Block(out, out, 1)]
    first = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def due(probe, steps):
    """How many probes are taken in the first steps."""
    probe.look, look = dict, probe.look
    count = sum(probe() is not None for _ in range(steps))
    probe.look = look
    return count


def cost():
    """Median CPU time of a step, a probe, and a step that Watch writes down, taken in turns."""
    for name, model, shape, batch, turns in (
        ("MLP 196-64-10", tanh_network(), (196,), 128, 300),
        ("MLP 196-64-10", tanh_network(), (196,), 50, 300),
        ("ResNet-20", residual_network(), (3, 32, 32), 32, 9),
    ):
        x, y = torch.randn(512, *shape), torch.randint(0, 10, (512,))
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=batch)
        optimizer = SAM(model.parameters(), 0.05, lr=0.01, momentum=0.9)
        probe = Probe(model, criterion, loader, optimizer, path=os.devnull)
        watch = Watch(optimizer, os.devnull)
        tap = watch.every
        watch.every = 1
        few = x[:batch], y[:batch]
        times = {"step": [], "probe": [], "watched": []}
        for _ in range(turns):
            for kind, work in (
                ("step", lambda: step_of(model, optimizer, *few)),
                ("probe", probe.look),
                ("watched", lambda: step_of(model, optimizer, *few, watch)),
            ):
                began = time.process_time()
                work()
                times[kind].append(time.process_time() - began)
        step, look, watched = (statistics.median(times[kind]) for kind in times)
        early = due(probe, 1000)
        print(
            f"| {name}, {sum(p.numel() for p in model.parameters()):,} parameters, batch {batch} "
            f"| {1e3 * step:.2f} ms | {1e3 * look:.2f} ms | {early} "
            f"| {100 * look * early / step / 1000:.1f} % | {100 * look / step / probe.every:.1f} % "
            f"| {100 * (watched - step) / step / tap:.1f} % |",
            flush=True,
        )


if __name__ == "__main__":
    {"runs": runs, "cost": cost}[sys.argv[1]](*sys.argv[2:])
