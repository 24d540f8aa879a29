"""Logits of plain PyTorch modules with the weights of a JSON file: `{case: {name: [shape, numbers]}}`.

    python3 test/python/weights.py weights.json

`load_state_dict` is strict: a name or a shape that a module does not have is an error.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))

import torch
from torch import nn

from networks import Lambda, cases, flat, images, wave

cases["mlp with dropout"] = (
    lambda: nn.Sequential(
        nn.Linear(9, 7), nn.Tanh(), nn.Dropout(0.5), nn.Linear(7, 5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 3)
    ),
    flat(images(8, 1, 3, 3)),
)
cases["mlp with dropout, layer norm"] = (
    lambda: nn.Sequential(
        nn.Linear(9, 7), nn.LayerNorm(7), nn.Tanh(), nn.Dropout(0.5), nn.Linear(7, 3)
    ),
    flat(images(8, 1, 3, 3)),
)
cases["regression"] = (
    lambda: nn.Sequential(nn.Linear(1, 3), Lambda(lambda x: torch.tanh(4 * x)), nn.Linear(3, 1)),
    (wave(12, 1.0, 1.7, 0.3)[:, None], None),
)

with open(sys.argv[1]) as file:
    states = json.load(file)
logits = {}
for name, state in states.items():
    make, samples = cases[name][:2]
    model = make().double().eval()
    model.load_state_dict(
        {key: torch.tensor(values, dtype=torch.float64).reshape(shape) for key, (shape, values) in state.items()}
    )
    with torch.no_grad():
        logits[name] = model(samples[0]).flatten().tolist()
print(json.dumps(logits))
