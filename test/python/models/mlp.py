"""A tanh network with the parameters and samples of a file, to be compared with the native one."""

import json
import os

import torch

with open(os.environ["LUCID_TEST_DATA"]) as file:
    DATA = json.load(file)


def lucid():
    layers = []
    for out, into in DATA["widths"]:
        layers += [torch.nn.Linear(into, out), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1]).double()
    # Trees are in alphabetical order: the bias of a layer comes before its weight.
    values = torch.tensor(DATA["point"], dtype=torch.float64)
    at = 0
    for layer in model:
        for name in ("bias", "weight"):
            p = getattr(layer, name, None)
            if p is not None:
                p.data = values[at : at + p.numel()].view_as(p).clone()
                at += p.numel()
    x = torch.tensor(DATA["x"], dtype=torch.float64).view(DATA["rows"], -1)
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    return model, loss, x, torch.tensor(DATA["y"])
