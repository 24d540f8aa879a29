"""Peer: full-batch SAM steps of a two-layer tanh network in PyTorch, as its users write them."""
import argparse

import torch
from torch import nn

from protocol import serve

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--inputs", type=int, required=True)
parser.add_argument("--hidden", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--compile", action="store_true")
options = parser.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(0)

classes, rho, rate = 10, 0.5, 0.1
images = torch.rand(options.batch, options.inputs) * 2 - 1
labels = torch.arange(options.batch) % classes
model = nn.Sequential(
    nn.Linear(options.inputs, options.hidden), nn.Tanh(), nn.Linear(options.hidden, classes)
)
run = torch.compile(model) if options.compile else model
parameters = list(model.parameters())
criterion = nn.CrossEntropyLoss()


def step():
    model.zero_grad()
    criterion(run(images), labels).backward()
    with torch.no_grad():
        norm = torch.stack([p.grad.norm() for p in parameters]).norm()
        saved = [p.clone() for p in parameters]
        for p in parameters:
            p.add_(p.grad * (rho / norm))
    model.zero_grad()
    criterion(run(images), labels).backward()
    with torch.no_grad():
        for p, s in zip(parameters, saved):
            p.copy_(s)
            p.sub_(rate * p.grad)


serve(torch.__version__, step)
