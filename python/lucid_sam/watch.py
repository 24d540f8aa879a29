"""Watch of a run: what SAM saw in its own steps, in a log for `lucid screen`.

    from lucid_sam import Watch
    watch = Watch(optimizer)                                    # before the loop
    ...
    loss = criterion(model(x), y)
    loss.backward(); watch.first(loss)                          # at x
    optimizer.first_step(zero_grad=True)
    again = criterion(model(x), y)
    again.backward(); watch.second(again)                       # at x⁺
    optimizer.second_step(zero_grad=True)

With a closure it is one line, `optimizer.step(watch.closure(closure))`. No gradient is computed for
it. Mini-batches say less than a fixed batch does, see `Probe`.
"""

from __future__ import annotations

import atexit
import math
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch

from .log import Log, Report, base_of, is_writer, setting

__all__ = ["Watch"]

# By parameter; None where there is none.
Gradient = List[Optional[torch.Tensor]]

# Rows wait on the device until so many are there, or so many seconds are over.
MOST_ROWS = 100
MOST_SECONDS = 1.0


class Watch:
    """Losses and gradients of SAM's two passes, every few steps.

    With gradient accumulation `first` and `second` are called after every backward pass: the
    gradient counts as it is after the last one, the loss as the mean. Give the loss undivided.

    Args:
        optimizer: Of the run: a class of SAM, or the one whose parameters are trained.
        path: The log. Rows are added to a file that is there.
        every: Steps between rows. One costs a copy of the gradient.
        rho: Radius of SAM; default: the optimizer's.
        scaler: The GradScaler of mixed precision: gradients that are still scaled are divided by its
            scale, and steps that it leaves out are marked. Give losses unscaled.
        full: Whether every step sees all samples: the log then says more.
        log: Also told each row, as in `log=wandb.log`.
        about: More for the log's first line.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        path: Optional[str] = "lucid.jsonl",
        *,
        every: int = 10,
        rho: Optional[float] = None,
        scaler: Optional[Any] = None,
        full: bool = False,
        log: Optional[Report] = None,
        **about: Any,
    ) -> None:
        self.every = every
        # The step that is under way; set it where a run goes on from a checkpoint.
        self.step = 0
        self._active = is_writer()
        self._optimizer, self._rho, self._scaler, self._report = optimizer, rho, scaler, log
        self._params = [p for group in optimizer.param_groups for p in group["params"]]
        self._passed = 0
        self._gradient: Gradient = []
        self._losses: Tuple[List[torch.Tensor], List[torch.Tensor]] = ([], [])
        self._products: Optional[torch.Tensor] = None
        self._rows: List[Tuple[Dict[str, Any], torch.Tensor]] = []
        self._written = time.monotonic()
        if not self._active:
            return
        self._log = Log(
            path,
            {
                "evidence": "full" if full else "batch",
                "rho": self._settings().get("rho"),
                "every": every,
                "optimizer": type(base_of(optimizer)).__name__,
                "dtype": str(self._params[0].dtype).replace("torch.", ""),
                **about,
            },
        )
        atexit.register(self.close)

    def first(self, loss: torch.Tensor) -> None:
        """After the backward pass at x, before SAM's first step."""
        if self._passed == 2:
            self._end()
        self._passed = 1
        if self._is_due():
            self._losses[0].append(loss.detach().mean())
            self._gradient = self._read(copied=True)

    def second(self, loss: torch.Tensor) -> None:
        """After the backward pass at x⁺, before SAM's second step."""
        if self._passed == 0:
            raise RuntimeError("missing first: call watch.first(loss) after the backward pass at x")
        self._passed = 2
        if self._is_due():
            self._losses[1].append(loss.detach().mean())
            g, s = self._gradient, self._read(copied=False)
            self._products = torch.stack([_dot(g, g), _dot(s, s), _dot(g, s)])

    def closure(self, closure: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
        """The closure, watched: its call at x, unless `first` was told of that pass, and at x⁺."""

        def watched() -> torch.Tensor:
            loss = closure()
            (self.second if self._passed == 1 else self.first)(loss)
            return loss

        return watched

    def flush(self) -> None:
        """Write the rows that wait."""
        for row, values in self._rows:
            loss, shifted, gg, ss, gs = values.tolist()
            row.update(
                loss=loss,
                shiftedLoss=shifted,
                gradNorm=gg**0.5,
                shiftedGradNorm=ss**0.5,
                cosine=gs / ((gg * ss) ** 0.5 or 1.0),
            )
            if self._scaler is not None and not math.isfinite(gg + ss):
                row["skipped"] = 1
            self._log.line(row)
            if self._report is not None:
                self._report(row)
        self._rows = []
        self._written = time.monotonic()

    def close(self) -> None:
        """Write what waits, and close the log."""
        if not self._active:
            return
        if self._passed == 2:
            self._end()
        self.flush()
        self._log.close()
        self._active = False
        atexit.unregister(self.close)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_due(self) -> bool:
        return self._active and self.step % self.every == 0

    def _settings(self) -> Dict[str, Any]:
        rate, rho = setting(self._optimizer, "lr"), self._rho
        known = {"lr": rate, "rho": setting(self._optimizer, "rho") if rho is None else rho}
        return {name: float(value) for name, value in known.items() if value is not None}

    def _read(self, copied: bool) -> Gradient:
        """The gradient as it is now, without the scale of mixed precision."""
        factor = self._unscaling()
        found: Gradient = []
        for p in self._params:
            g = None if p.grad is None else p.grad.detach()
            if g is not None and g.is_sparse:
                g = g.to_dense()
            if g is not None and (copied or factor != 1.0):
                g = g.float() * factor if factor != 1.0 else g.clone()
            found.append(g)
        return found

    def _unscaling(self) -> float:
        scaler = self._scaler
        if scaler is None or not scaler.is_enabled():
            return 1.0
        # PyTorch keeps no public word on whether unscale_ was called since the last update.
        states = getattr(scaler, "_per_optimizer_states", {})
        for optimizer in (self._optimizer, base_of(self._optimizer)):
            stage = states[id(optimizer)]["stage"] if id(optimizer) in states else None
            if getattr(stage, "name", "READY") != "READY":
                return 1.0
        return 1.0 / scaler.get_scale()

    def _end(self) -> None:
        """The step is over: keep its row, and count it."""
        first, second = self._losses
        if self._is_due() and self._products is not None and first and second:
            row = {"step": self.step, **self._settings()}
            losses = torch.stack([torch.stack(part).mean().double() for part in (first, second)])
            self._rows.append((row, torch.cat([losses, self._products.to(losses.device)])))
            # The only time that a device is waited for.
            waited = time.monotonic() - self._written
            if len(self._rows) >= MOST_ROWS or waited >= MOST_SECONDS:
                self.flush()
        self._gradient, self._losses, self._products = [], ([], []), None
        self._passed = 0
        self.step += 1


def _dot(a: Gradient, b: Gradient) -> torch.Tensor:
    """⟨a, b⟩ over all parameters that have both, summed in float64."""
    parts = [(x.double() * y.double()).sum() for x, y in zip(a, b) if x is not None and y is not None]
    if len(parts) == 0:
        return torch.zeros((), dtype=torch.float64)
    return torch.stack([part.to(parts[0].device) for part in parts]).sum()
