"""Peer: mini-batch SAM steps of a small residual network in PyTorch.

Three residual blocks (16, 32, 64 channels, the last two with stride 2), batch norm, ReLU,
images of 3 × 32 × 32. Two gradients on the same batch per step, plain descent.
"""
import argparse

import torch
from torch import nn
from torch.nn import functional as F

from protocol import serve

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--compile", action="store_true")
options = parser.parse_args()
torch.set_num_threads(options.threads)


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        same = inputs == outputs
        self.skip = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.skip(x))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.body = nn.Sequential(Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2))
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        y = self.body(F.relu(self.norm(self.stem(x))))
        return self.head(y.mean((2, 3)))


torch.manual_seed(0)
count, rho, rate = 512, 0.05, 0.05
images = torch.randn(count, 3, 32, 32)
labels = torch.arange(count) % 10
model = Network()
run = torch.compile(model) if options.compile else model
parameters = list(model.parameters())
criterion = nn.CrossEntropyLoss()


def step():
    rows = torch.randint(count, (options.batch,))
    x, y = images[rows], labels[rows]
    model.zero_grad()
    criterion(run(x), y).backward()
    with torch.no_grad():
        norm = torch.stack([p.grad.norm() for p in parameters]).norm()
        saved = [p.clone() for p in parameters]
        for p in parameters:
            p.add_(p.grad * (rho / norm))
    model.zero_grad()
    criterion(run(x), y).backward()
    with torch.no_grad():
        for p, s in zip(parameters, saved):
            p.copy_(s)
            p.sub_(rate * p.grad)


serve(torch.__version__, step)
