"""The plain loop over a plane in PyTorch: set the weights, compute f and the gradient, step to x+, compute f.

    python torch_landscape.py SAMPLES INPUTS HIDDEN POINTS THREADS

This is how loss surfaces are usually computed (one model, weights set place by place), with all samples
as one batch and without a data loader, which would cost more. Prints seconds for the whole plane, and those
of the processor.
"""

import sys
import time

import torch

samples, inputs, hidden, points, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(inputs, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 10)
)
x = torch.randn(samples, inputs)
y = torch.randint(0, 10, (samples,))
loss_of = torch.nn.CrossEntropyLoss()
center = [p.detach().clone() for p in model.parameters()]
first = [torch.randn_like(p) for p in center]
second = [torch.randn_like(p) for p in center]
rho = 2.0


def place(a: float, b: float) -> tuple[float, float]:
    with torch.no_grad():
        for p, c, d, e in zip(model.parameters(), center, first, second):
            p.copy_(c + a * d + b * e)
    model.zero_grad(set_to_none=True)
    loss = loss_of(model(x), y)
    loss.backward()
    with torch.no_grad():
        norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
        for p in model.parameters():
            p.add_(rho * p.grad / norm)
        shifted = loss_of(model(x), y)
    return loss.item(), shifted.item()


ticks = [-0.01 + 0.02 * i / (points - 1) for i in range(points)]
for _ in range(20):
    place(0.0, 0.0)
start, processor = time.perf_counter(), time.process_time()
for b in ticks:
    for a in ticks:
        place(a, b)
print(time.perf_counter() - start, time.process_time() - processor)
