"""Recorders for PyTorch runs, and what lets `lucid` read a PyTorch model. Needs torch 1.13 or newer.

`Probe` asks a run every few steps what SAM sees on a fixed batch, `Watch` writes down what SAM saw
in its own steps, both into a log for `lucid screen`. `lucid_sam.callbacks` has the probe for
Lightning and Hugging Face, `lucid_sam.serve` is what `lucid certify --python` runs, and
`lucid_sam.export` writes a model for `lucid train --problem`.
"""

from .probe import Probe
from .watch import Watch

__all__ = ["Probe", "Watch"]
