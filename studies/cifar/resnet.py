"""A residual network on CIFAR-100 in PyTorch, epoch by epoch: the peer of resnet.ts.

LUCID_DATA=DIR python studies/cifar/resnet.py OUT.jsonl METHOD SEED, METHOD sam or gd. The settings are
those of settings.ts. Modules are made in the order in which ours draw their initial numbers, so that
runs of one seed begin at the same parameters; batches and augmentations are PyTorch's own.
"""
import gzip
import json
import math
import os
import pathlib
import re
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

out, method, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
text = pathlib.Path(__file__).with_name("settings.ts").read_text()
setting = {key: json.loads(value) for key, value in re.findall(r"^  (\w+): (.+),$", text, re.M)}
count, judged, batch = setting["n"], setting["test"], setting["batch"]
torch.set_num_threads(1)


def read(name, images):
    folder = pathlib.Path(os.environ["LUCID_DATA"]) / "cifar-100-binary"
    files = [folder / f"{name}.bin", *(folder / f"{name}{part}.bin.gz" for part in ("", "_1"))]
    path = next(file for file in files if file.exists())
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        records = np.frombuffer(file.read(images * 3074), np.uint8).reshape(images, 3074)
    pixels = torch.tensor(records[:, 2:].reshape(images, 3, 32, 32))
    return pixels, torch.tensor(records[:, 1].astype(np.int64))


mean = torch.tensor([0.5071, 0.4865, 0.4409]).reshape(1, 3, 1, 1)
deviation = torch.tensor([0.2673, 0.2564, 0.2762]).reshape(1, 3, 1, 1)


def normalized(pixels):
    return (pixels / 255 - mean) / deviation


def augmented(pixels):
    """Crop of black padding, flip, Cutout with the mean, each image in its own way."""
    pad, side = setting["crop"], setting["cutout"]
    padded = F.pad(pixels, (pad, pad, pad, pad))
    images = []
    for image in padded:
        dy, dx = torch.randint(2 * pad + 1, (2,)).tolist()
        image = image[:, dy : dy + 32, dx : dx + 32]
        images.append(image.flip(2) if setting["flip"] and torch.rand(()) < 0.5 else image)
    result = normalized(torch.stack(images))
    for image in result:
        y, x = torch.randint(32, (2,)).tolist()
        first, left = y - side // 2, x - side // 2
        image[:, max(0, first) : first + side, max(0, left) : left + side] = 0
    return result


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x):
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class Network(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)
        )
        self.linear = nn.Linear(4 * width, 100)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.linear(x.mean((2, 3)))


train, labels = read("train", count)
test, test_labels = read("test", judged)
torch.manual_seed(seed)
model = Network(setting["width"])
parameters = list(model.parameters())
norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
optimizer = torch.optim.SGD(
    parameters, setting["lr"], setting["momentum"], weight_decay=setting["weightDecay"]
)
per_epoch = count // batch
steps = setting["epochs"] * per_epoch
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda t: (1 + math.cos(math.pi * t / steps)) / 2
)


def step(x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    if method == "sam":
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in parameters]).norm()
            saved = [p.clone() for p in parameters]
            for p in parameters:
                p.add_(p.grad, alpha=setting["rho"] / norm.item())
        optimizer.zero_grad()
        # The first pass alone moves the running statistics.
        for module in norms:
            module.momentum = 0.0
        F.cross_entropy(model(x), y).backward()
        for module in norms:
            module.momentum = 0.1
        with torch.no_grad():
            for p, value in zip(parameters, saved):
                p.copy_(value)
    optimizer.step()
    schedule.step()
    return loss.item()


began = time.process_time()
for epoch in range(1, setting["epochs"] + 1):
    model.train()
    order = torch.randperm(count)[: per_epoch * batch].reshape(per_epoch, batch)
    losses = [step(augmented(train[rows].float()), labels[rows]) for rows in order]
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(normalized(part.float())) for part in test.split(500)])
    row = {
        "framework": "PyTorch",
        "method": method,
        "seed": seed,
        "epoch": epoch,
        "trainLoss": sum(losses) / len(losses),
        "testLoss": F.cross_entropy(logits, test_labels).item(),
        "testAccuracy": (logits.argmax(1) == test_labels).double().mean().item(),
    }
    with open(out, "a") as file:
        file.write(json.dumps(row) + "\n")
print(f"{method} {seed}: {time.process_time() - began:.0f} s of processor time", file=sys.stderr)
