"""Callbacks for Lightning and Hugging Face: the probe of `lucid_sam`, called by their trainers.

    from lucid_sam.callbacks import LightningProbe
    trainer = Trainer(callbacks=[LightningProbe(criterion, train_loader, rho=0.05)])

    from lucid_sam.callbacks import HuggingFaceProbe
    trainer = Trainer(..., callbacks=[HuggingFaceProbe(None, train_loader, rho=0.05)])
"""

from __future__ import annotations

from typing import Any, Optional

from .probe import Probe

__all__ = ["LightningProbe", "HuggingFaceProbe"]


def _class(*places: str) -> Any:
    """The first class that can be imported, `object` where none can."""
    for place in places:
        module, name = place.rsplit(".", 1)
        try:
            return getattr(__import__(module, fromlist=[name]), name)
        except ImportError:
            continue
    return object


class LightningProbe(_class("lightning.pytorch.Callback", "pytorch_lightning.Callback")):  # type: ignore[misc]
    """A `Probe` in Lightning's trainer; steps are counted as the trainer's `global_step`."""

    def __init__(self, loss: Any, batch: Any, **options: Any) -> None:
        super().__init__()
        self._given = (loss, batch, options)
        self.probe: Optional[Probe] = None

    def on_train_start(self, trainer: Any, module: Any) -> None:
        loss, batch, options = self._given
        optimizers = [*trainer.optimizers, None]
        self.probe = Probe(module, loss, batch, optimizers[0], **options)

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if self.probe is not None:
            self.probe(step=trainer.global_step)

    def on_train_end(self, *_: Any) -> None:
        if self.probe is not None:
            self.probe.close()


class HuggingFaceProbe(_class("transformers.TrainerCallback")):  # type: ignore[misc]
    """A `Probe` in the `Trainer` of Hugging Face; `None` as loss takes the model's own."""

    def __init__(self, loss: Any, batch: Any, **options: Any) -> None:
        super().__init__()
        self._given = (loss, batch, options)
        self.probe: Optional[Probe] = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        loss, batch, options = self._given
        self.probe = Probe(given["model"], loss, batch, given.get("optimizer"), **options)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.probe is not None:
            self.probe(step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.probe is not None:
            self.probe.close()
