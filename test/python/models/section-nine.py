"""The network of theory.md, section 9, at the point where SAM hallucinates."""

import torch

POINT = (
    -0.48704912104, -0.29334313386, 0.78952024637, 0.02492411786, 0.38809939645, -0.29577026322,
    -0.37770061104,
)


class Sines(torch.nn.Module):
    """a tanh(4 (w x + b)) + c with two hidden units, and the penalty in the loss."""

    def __init__(self):
        super().__init__()
        values = torch.tensor(POINT, dtype=torch.float64)
        self.w, self.b, self.a = (torch.nn.Parameter(values[i : i + 2].clone()) for i in (0, 2, 4))
        self.c = torch.nn.Parameter(values[6].clone())

    def forward(self, x):
        prediction = torch.tanh(4 * (x[:, None] * self.w + self.b)) @ self.a + self.c
        return prediction, sum((p * p).sum() for p in self.parameters())


def loss(output, y):
    prediction, square = output
    return (prediction - y) ** 2 + 0.0015 * square


# numpy.random.default_rng(1).uniform(-1, 1, 16)
X = [
    0.023643249400513433,
    0.9009273926518706,
    -0.7116807745607325,
    0.8972988942744877,
    -0.3763370959790291,
    -0.1533471020548487,
    0.6554051876408835,
    -0.18160172726167745,
    0.09918737534611899,
    -0.9448817735138633,
    0.5070262173496132,
    0.07628662643855644,
    -0.34053656700181567,
    0.5768574068568086,
    -0.39361034141671003,
    -0.09300422103869699,
]


def lucid():
    x = torch.tensor(X, dtype=torch.float64)
    return Sines(), loss, x, torch.sin(3 * x) + x / 2
