"""One step of SAM of every network, by PyTorch in float64 from PyTorch's initial numbers.

    python3 test/oracle/networks.py > test/oracle/networks.json

Needs PyTorch. Samples are given by formulas, so that the test can build the same ones; parameters
are PyTorch's own, in float32 after `torch.manual_seed`, which the test draws for itself.
"""

import json
import math

import torch
from torch import nn
from torch.nn import functional as F

SEED, RHO, RATE = 5, 0.05, 0.1


def wave(count, scale, pace, phase):
    k = torch.arange(count, dtype=torch.float64)
    return scale * torch.sin(pace * k + phase)


def images(samples, channels, side, classes):
    x = wave(samples * channels * side * side, 1.2, 1.7, 0.3)
    x = (x + 0.3).reshape(samples, channels, side, side)
    return x, (torch.arange(samples) * 7 + 1) % classes


class Lambda(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def mlp(features, hidden, classes, activation, norm=False, gain=1):
    layers = []
    for width in hidden:
        layers.append(nn.Linear(features, width))
        if norm:
            layers.append(nn.LayerNorm(width))
        layers.append(activation)
        features = width
    layers.append(nn.Linear(features, classes))
    net = nn.Sequential(*layers)
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(gain)
    return net


def flat(samples):
    x, y = samples
    return x.flatten(1), y


def norm2d(kind, channels):
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    if kind == "group":
        return [nn.GroupNorm(math.gcd(8, channels), channels)]
    return []


def cnn(inputs, channels, classes, activation, norm="none"):
    layers = []
    for i, count in enumerate(channels):
        layers.append(
            nn.Conv2d(inputs, count, 3, stride=1 if i == 0 else 2, padding=1, bias=norm == "none")
        )
        layers += norm2d(norm, count) + [activation]
        inputs = count
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes)]
    return nn.Sequential(*layers)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = norm2d(norm, outputs)[0]
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = norm2d(norm, outputs)[0]
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm2d(norm, outputs)[0]
            )

    def forward(self, x):
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, channels, stages, width, classes, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = norm2d(norm, width)[0]
        inputs = width
        for stage, blocks in enumerate(stages):
            layer = []
            for block in range(blocks):
                outputs = width * 2**stage
                stride = 2 if stage > 0 and block == 0 else 1
                layer.append(Block(inputs, outputs, stride, norm))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.stages = len(stages)
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.linear(x.mean((2, 3)))


class Transformer(nn.Module):
    def __init__(self, dim, heads, causal):
        super().__init__()
        self.causal = causal
        self.norm1 = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)

    def forward(self, x):
        places = x.shape[1]
        mask = torch.full((places, places), -math.inf, dtype=x.dtype).triu(1)
        y = self.norm1(x)
        mixed = self.attention(
            y, y, y, need_weights=False, attn_mask=mask if self.causal else None
        )[0]
        x = x + mixed
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class ViT(nn.Module):
    def __init__(self, channels, side, patch, dim, blocks, heads, classes):
        super().__init__()
        self.patches = nn.Conv2d(channels, dim, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn((side // patch) ** 2, dim))
        self.blocks = nn.Sequential(*[Transformer(dim, heads, False) for _ in range(blocks)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(x)).mean(1))


class GPT(nn.Module):
    def __init__(self, vocabulary, places, dim, blocks, heads, predicted):
        super().__init__()
        self.predicted = predicted
        self.token = nn.Embedding(vocabulary, dim)
        self.position = nn.Parameter(0.02 * torch.randn(places, dim))
        with torch.no_grad():
            self.token.weight.mul_(0.02)
        self.blocks = nn.Sequential(*[Transformer(dim, heads, True) for _ in range(blocks)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocabulary)

    def forward(self, x):
        x = self.norm(self.blocks(self.token(x) + self.position))
        return self.head(x[:, -self.predicted :])


def cross_entropy(outputs, y):
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), y.reshape(-1))


def tokens(samples, places, vocabulary, predicted):
    i = torch.arange(samples * places)
    x = ((i * i + 3 * i) % vocabulary).reshape(samples, places)
    y = ((torch.arange(samples * predicted) * 3 + 1) % vocabulary).reshape(samples, predicted)
    return x, y


class GCN(nn.Module):
    """Kipf & Welling 2017 on two triangles with a bridge."""

    def __init__(self, features, hidden, classes):
        super().__init__()
        widths = [features, *hidden, classes]
        self.layers = nn.Sequential(
            *[nn.Linear(a, b) for a, b in zip(widths, widths[1:])]
        )

    def forward(self, x):
        edges = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3)]
        a = torch.eye(6, dtype=x.dtype)
        for i, j in edges:
            a[i, j] = a[j, i] = 1
        d = a.sum(1).rsqrt()
        a = d[:, None] * a * d[None]
        for i, layer in enumerate(self.layers):
            x = a @ (x @ layer.weight.T) + layer.bias
            if i + 1 < len(self.layers):
                x = F.relu(x)
        return x


def graph():
    x = wave(12, 1, 1.9, 0.3).reshape(6, 2)
    return x, torch.tensor([0, 1, 1, 0, 1, 0])


def known(outputs, y):
    """Of the nodes 0, 1 and 4."""
    return F.cross_entropy(outputs[[0, 1, 4]], y[[0, 1, 4]])


relu, leaky = nn.ReLU(), nn.LeakyReLU()
cases = {
    "mlp leaky-relu": (lambda: mlp(9, [7], 3, leaky), flat(images(8, 1, 3, 3))),
    "mlp sin, gain 2": (lambda: mlp(9, [7], 3, Lambda(torch.sin), gain=2), flat(images(8, 1, 3, 3))),
    "mlp gelu, layer norm": (lambda: mlp(9, [7, 5], 3, nn.GELU(), True), flat(images(8, 1, 3, 3))),
    "mlp silu, layer norm": (lambda: mlp(9, [7, 5], 3, nn.SiLU(), True), flat(images(8, 1, 3, 3))),
    "cnn": (lambda: cnn(3, [6, 8, 10], 4, relu), images(6, 3, 7, 4)),
    "cnn batch": (lambda: cnn(1, [6, 8], 4, nn.Tanh(), "batch"), images(6, 1, 8, 4)),
    "cnn group": (lambda: cnn(3, [6, 8], 4, relu, "group"), images(6, 3, 8, 4)),
    "resnet 8": (lambda: ResNet(3, [1, 1, 1], 4, 5, "batch"), images(8, 3, 12, 5)),
    "resnet 8 group": (lambda: ResNet(1, [1, 1, 1], 8, 5, "group"), images(6, 1, 7, 5)),
    "resnet 18": (lambda: ResNet(3, [2, 2, 2, 2], 4, 5, "batch"), images(8, 3, 16, 5)),
    "resnet 20": (lambda: ResNet(3, [3, 3, 3], 4, 5, "batch"), images(8, 3, 8, 5)),
    "vit": (lambda: ViT(3, 8, 4, 12, 2, 3, 5), images(6, 3, 8, 5)),
    "gpt": (lambda: GPT(11, 7, 12, 2, 2, 7), tokens(5, 7, 11, 7)),
    "gpt of the last": (lambda: GPT(11, 3, 16, 1, 4, 1), tokens(9, 3, 11, 1)),
    "gcn": (lambda: GCN(2, [5, 4], 2), graph(), known),
}


def study(make, samples, loss_of=cross_entropy):
    torch.manual_seed(SEED)
    net = make()
    numbers = torch.cat([p.detach().double().reshape(-1) for p in net.parameters()])
    net = net.double()
    x, y = samples
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]

    def gradient():
        net.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        return loss.item(), [p.grad.clone() for p in net.parameters()]

    def length(tensors):
        return torch.sqrt(sum((t * t).sum() for t in tensors))

    def move(tensors, by):
        with torch.no_grad():
            for p, t in zip(net.parameters(), tensors):
                p.add_(by * t)

    def hessian_times_gradient():
        """H u and u·H u along u = g/‖g‖."""
        parameters = list(net.parameters())
        # Fused attention has no second derivative.
        with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
            g = torch.autograd.grad(loss_of(net(x), y), parameters, create_graph=True)
        u = [t.detach() / length(g).detach() for t in g]
        product = torch.autograd.grad(sum((a * b).sum() for a, b in zip(g, u)), parameters)
        return length(product).item(), sum((a * b).sum() for a, b in zip(u, product)).item()

    hessian_norm, curvature = hessian_times_gradient()
    for norm in norms:
        norm.reset_running_stats()
    loss, g = gradient()
    up = RHO / length(g)
    move(g, up)
    for norm in norms:
        norm.momentum = 0.0
    shifted_loss, ascent = gradient()
    move(g, -up)
    move(ascent, -RATE)
    net.eval()
    with torch.no_grad():
        evaluated = loss_of(net(x), y).item()
    return {
        "parameters": numbers.numel(),
        "startNorm": numbers.norm().item(),
        "startSum": numbers.sum().item(),
        "loss": loss,
        "gradNorm": length(g).item(),
        "shiftedLoss": shifted_loss,
        "shiftedGradNorm": length(ascent).item(),
        "evaluated": evaluated,
        "hessianNorm": hessian_norm,
        "curvature": curvature,
    }


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "seed": SEED,
                "rho": RHO,
                "rate": RATE,
                "cases": {name: study(*case) for name, case in cases.items()},
            },
            indent=2,
        )
    )
