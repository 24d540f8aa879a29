"""A batch-normalized network under SAM, and what evaluation and certificates see of it, by PyTorch.

    python3 test/oracle/batch-norm.py > test/oracle/batch-norm.json

Needs PyTorch. Samples and initial parameters are given by formulas, so that the test can build the
same network. The running statistics see the first pass of a step only: in the second the layer
keeps them, as implementations of SAM do.
"""

import json

import torch
from torch import nn

FLOAT = torch.float64
SAMPLES, FEATURES, HIDDEN, CLASSES = 14, 3, 4, 3
RHO, RATE, STEPS = 0.2, 0.3, 25


def wave(count, scale, pace, phase):
    k = torch.arange(count, dtype=FLOAT)
    return scale * torch.sin(pace * k + phase)


x = wave(SAMPLES * FEATURES, 1.5, 1.7, 0.3).reshape(SAMPLES, FEATURES) + 0.8
y = (torch.arange(SAMPLES) * 5 + 1) % CLASSES

net = nn.Sequential(
    nn.Linear(FEATURES, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, CLASSES)
).to(FLOAT)
with torch.no_grad():
    net[0].weight.copy_(wave(HIDDEN * FEATURES, 0.9, 2.3, 0.1).reshape(HIDDEN, FEATURES))
    net[0].bias.copy_(wave(HIDDEN, 2.5, 1.1, 0.4))
    net[1].weight.copy_(1 + wave(HIDDEN, 0.2, 1.9, 0.6))
    net[1].bias.copy_(wave(HIDDEN, 0.3, 0.7, 0.2))
    net[3].weight.copy_(wave(CLASSES * HIDDEN, 0.8, 1.3, 0.5).reshape(CLASSES, HIDDEN))
    net[3].bias.copy_(wave(CLASSES, 0.1, 2.9, 0.9))

norm = net[1]
cross_entropy = nn.CrossEntropyLoss()


def gradient():
    net.zero_grad()
    loss = cross_entropy(net(x), y)
    loss.backward()
    return loss.item(), [p.grad.clone() for p in net.parameters()]


def length(tensors):
    return torch.sqrt(sum((t * t).sum() for t in tensors))


def move(tensors, by):
    with torch.no_grad():
        for p, t in zip(net.parameters(), tensors):
            p.add_(by * t)


def statistics():
    return {
        "running_mean": norm.running_mean.tolist(),
        "running_var": norm.running_var.tolist(),
    }


def evaluate():
    net.eval()
    with torch.no_grad():
        outputs = net(x)
    net.train()
    return {
        "loss": cross_entropy(outputs, y).item(),
        "accuracy": (outputs.argmax(1) == y).double().mean().item(),
    }


steps = []
net.train()
for _ in range(STEPS):
    norm.momentum = 0.1
    loss, g = gradient()
    up = RHO / length(g)
    move(g, up)
    norm.momentum = 0.0
    shifted_loss, ascent = gradient()
    move(g, -up)
    move(ascent, -RATE)
    steps.append({"loss": loss, "shiftedLoss": shifted_loss, **statistics()})

trained = evaluate()

# Curvature of the loss that evaluation sees, and of the one that a full batch sees in training.
shapes = [p.shape for p in net.parameters()]
sizes = [p.numel() for p in net.parameters()]
flat = torch.cat([p.detach().reshape(-1) for p in net.parameters()])


def loss_at(vector, batch_statistics):
    w0, b0, scale, shift, w1, b1 = [
        part.reshape(shape) for part, shape in zip(vector.split(sizes), shapes)
    ]
    h = nn.functional.batch_norm(
        x @ w0.T + b0,
        None if batch_statistics else norm.running_mean,
        None if batch_statistics else norm.running_var,
        scale,
        shift,
        training=batch_statistics,
        eps=norm.eps,
    )
    return cross_entropy(torch.tanh(h) @ w1.T + b1, y)


def curvature(batch_statistics):
    def f(v):
        return loss_at(v, batch_statistics)

    gradient = torch.autograd.functional.jacobian(f, flat)
    ascent = flat + RHO * gradient / gradient.norm()
    h = torch.linalg.eigvalsh(torch.autograd.functional.hessian(f, flat))
    h_plus = torch.linalg.eigvalsh(torch.autograd.functional.hessian(f, ascent))
    return {
        "loss": f(flat).item(),
        "shiftedLoss": f(ascent).item(),
        "gradNorm": gradient.norm().item(),
        "shiftedGradNorm": torch.autograd.functional.jacobian(f, ascent).norm().item(),
        "hessian": {"min": h[0].item(), "max": h[-1].item()},
        "shiftedHessian": {"min": h_plus[0].item(), "max": h_plus[-1].item()},
    }


certificates = {"evaluate": curvature(False), "train": curvature(True)}
state = {name: value.tolist() for name, value in net.state_dict().items()}
norm.reset_running_stats()
initial = evaluate()

print(
    json.dumps(
        {
            "torch": torch.__version__,
            "rho": RHO,
            "rate": RATE,
            "count": STEPS,
            "steps": steps[:3],
            "trained": trained,
            "withInitialStatistics": initial,
            "certificates": certificates,
            "state": state,
        },
        indent=2,
    )
)
