"""Makes the fixtures of test/import anew: five PyTorch models as lucid_sam.export writes them, with
losses, gradients and Hessian products of PyTorch's own autograd in float64.

    python test/import/fixtures.py [FOLDER]

Needs torch 2.15, onnx and onnxscript; other versions may write other graphs of the same functions.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))
from lucid_sam.export import _by_name, _call_of, _double, _safetensors, export  # noqa: E402


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, groups=2)
        self.bn2 = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = F.max_pool2d(torch.tanh(self.bn1(self.conv1(x))), 2)
        x = F.silu(self.bn2(self.conv2(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Transformer(nn.Module):
    """A vision transformer: patches by a convolution, a class token, two blocks of torch's own."""

    def __init__(self, width=6):
        super().__init__()
        self.patches = nn.Conv2d(1, width, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.1)
        self.positions = nn.Parameter(torch.randn(1, 5, width) * 0.1)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 2, 8, dropout=0.0, activation="gelu", norm_first=True, batch_first=True
            )
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Graph(nn.Module):
    """Two graph convolutions: every node takes the mean of its neighbors."""

    def __init__(self, features=6, width=8, classes=3):
        super().__init__()
        self.first = nn.Linear(features, width)
        self.second = nn.Linear(width, classes)

    def forward(self, x, edges):
        source, target = edges
        ones = torch.ones(len(source), 1, dtype=x.dtype)
        degree = torch.zeros(len(x), 1, dtype=x.dtype).index_add(0, target, ones).clamp(min=1)

        def spread(h):
            return torch.zeros_like(h).index_add(0, target, h[source]) / degree

        return self.second(spread(F.elu(self.first(spread(x)))))


class Language(nn.Module):
    """A generative transformer of one layer whose head shares the weight of its embedding."""

    def __init__(self, words=11, length=6, width=6, heads=2):
        super().__init__()
        self.heads = heads
        self.wte = nn.Embedding(words, width)
        self.wpe = nn.Embedding(length, width)
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, words, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        n, length = tokens.shape
        h = self.wte(tokens) + self.wpe(torch.arange(length))
        q, k, v = self.attn(self.ln_1(h)).split(h.shape[-1], -1)
        q, k, v = (a.view(n, length, self.heads, -1).transpose(1, 2) for a in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.proj(mixed.transpose(1, 2).reshape(n, length, -1))
        h = h + self.down(F.gelu(self.up(self.ln_2(h)), approximate="tanh"))
        return self.lm_head(self.ln_f(h))


def per_text(logits, tokens):
    return F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none").mean(1)


def moved(model):
    """With running statistics and scales that are not their initial values."""
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if "bn" in name and value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.5)
    return model


cross_entropy = nn.CrossEntropyLoss(reduction="none")


def cases():
    labels = torch.randint(0, 3, (12,))
    mlp = nn.Sequential(nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    yield "mlp", mlp, cross_entropy, torch.randn(12, 9), labels, {}
    yield "cnn", moved(Convolutional()), cross_entropy, torch.randn(12, 2, 8, 8), labels, {}
    yield "vit", Transformer(), cross_entropy, torch.randn(12, 1, 8, 8), labels, {}
    edges = torch.randint(0, 12, (2, 40))
    yield "gcn", Graph(), cross_entropy, torch.randn(12, 6), labels, {"edges": edges}
    text = torch.randint(0, 11, (12, 7))
    yield "gpt", Language(), per_text, text[:, :-1], text[:, 1:], {}


def derivatives(model, loss, x, y, constants, training):
    """Mean loss, outputs, gradient, a vector and the Hessian's product with it, in float64."""
    model = model.double().train(training)
    samples = {name: _double(value) for name, value in _by_name(x, y).items()}
    args, named = _call_of(x)(samples)
    # The fused kernels have no second derivative.
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        outputs = model(*args, **named, **constants)
        value = loss(outputs, samples["y"]).mean()
        parameters = dict(model.named_parameters())
        gradient = torch.autograd.grad(value, parameters.values(), create_graph=True)
        random = torch.Generator().manual_seed(7)
        vector = [torch.randn(p.shape, generator=random, dtype=p.dtype) for p in gradient]
        product = torch.autograd.grad(gradient, parameters.values(), vector)
    result = {"loss": value, "outputs": outputs}
    for what, parts in [("gradient", gradient), ("vector", vector), ("product", product)]:
        result.update({f"{what}.{name}": part for name, part in zip(parameters, parts)})
    if training:
        buffers = model.named_buffers()
        result.update({f"next.{k}": b for k, b in buffers if b.is_floating_point()})
    return result


def main(folder: Path):
    torch.manual_seed(0)
    for name, model, loss, x, y, constants in cases():
        at = export(model, loss, x, y, folder / name, constants=constants)
        start = {k: v.clone() for k, v in model.state_dict().items()}
        expected = {}
        for mode in ["evaluate", "train"] if (at / "train.onnx").exists() else ["evaluate"]:
            model.float().load_state_dict(start)
            found = derivatives(model, loss, x, y, constants, mode == "train")
            expected.update({f"{mode}.{k}": v for k, v in found.items()})
        (at / "expected.safetensors").write_bytes(_safetensors(expected, {}))
        print(name, sorted(p.name for p in at.iterdir()), sum(p.stat().st_size for p in at.iterdir()))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "fixtures"))
