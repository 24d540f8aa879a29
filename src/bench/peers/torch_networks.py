"""Peer: SAM steps of the networks of ../networks.ts in PyTorch, as its users write them.

Two gradients on the same batch per step, plain descent.
"""
import argparse

import torch
from torch import nn
from torch.nn import functional as F

from protocol import serve

classes, characters, patch, samples = 10, 65, 48, 512


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, normal_skip: bool):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.skip = nn.Identity()
        if inputs != outputs:
            self.skip = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            if normal_skip:
                self.skip = nn.Sequential(self.skip, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.skip(x))


class Residual(nn.Module):
    def __init__(self, widths, depth: int, normal_skip: bool):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        blocks = []
        inputs = widths[0]
        for stage, width in enumerate(widths):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Block(inputs, width, stride, normal_skip))
                inputs = width
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.head(self.body(F.relu(self.norm(self.stem(x)))).mean((2, 3)))


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.before = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.middle = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        parts = self.query_key_value(self.before(x)).chunk(3, -1)
        query, key, value = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.middle(x))))


class Transformer(nn.Module):
    def __init__(self, kind: str, tokens: int, width: int, depth: int, heads: int):
        super().__init__()
        self.kind = kind
        vit = kind == "vit"
        self.embedding = nn.Linear(patch, width) if vit else nn.Embedding(characters, width)
        self.position = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.layers = nn.Sequential(*(Layer(width, heads, not vit) for _ in range(depth)))
        self.after = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes if vit else characters)

    def forward(self, x):
        y = self.after(self.layers(self.embedding(x) + self.position))
        return self.head(y.mean(1)) if self.kind == "vit" else self.head(y).flatten(0, 1)


class Graph(nn.Module):
    def __init__(self, nodes: int, features: int, hidden: int, edges: int):
        super().__init__()
        ends = torch.randint(nodes, (2, edges))
        loops = torch.arange(nodes).expand(2, nodes)
        indices = torch.cat([ends, loops], 1)
        values = torch.full((edges + nodes,), 0.25)
        self.matrix = torch.sparse_coo_tensor(indices, values, (nodes, nodes)).to_sparse_csr()
        self.first = nn.Linear(features, hidden, bias=False)
        self.first_bias = nn.Parameter(torch.zeros(hidden))
        self.second = nn.Linear(hidden, classes, bias=False)
        self.second_bias = nn.Parameter(torch.zeros(classes))

    def forward(self, x):
        y = F.relu(self.matrix @ self.first(x) + self.first_bias)
        return self.matrix @ self.second(y) + self.second_bias


parser = argparse.ArgumentParser()
parser.add_argument("--kind", choices=["residual", "vit", "gpt", "gcn"], required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--compile", action="store_true")
for name in "batch tokens width depth heads nodes features hidden edges".split():
    parser.add_argument(f"--{name}", type=int)
parser.add_argument("--widths", type=lambda text: [int(n) for n in text.split(",")])
parser.add_argument("--normalSkip", action="store_true")
options = parser.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(0)
rho, rate = 0.5, 0.1

if options.kind == "residual":
    model = Residual(options.widths, options.depth, options.normalSkip)
    inputs = torch.rand(samples, 3, 32, 32) * 2 - 1
elif options.kind == "gcn":
    model = Graph(options.nodes, options.features, options.hidden, options.edges)
    inputs = torch.rand(options.nodes, options.features) * 2 - 1
else:
    model = Transformer(options.kind, options.tokens, options.width, options.depth, options.heads)
    shape = (samples, options.tokens)
    vit = options.kind == "vit"
    inputs = torch.rand(*shape, patch) * 2 - 1 if vit else torch.randint(characters, shape)
labels = torch.arange(len(inputs)) % classes
if options.kind == "gpt":
    labels = torch.randint(characters, inputs.shape)

run = torch.compile(model) if options.compile else model
parameters = list(model.parameters())
criterion = nn.CrossEntropyLoss()


def step():
    x, y = inputs, labels
    if options.kind != "gcn":
        rows = torch.randint(samples, (options.batch,))
        x, y = inputs[rows], labels[rows].flatten()
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
