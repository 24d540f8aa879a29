"""Probe of a run: what SAM sees on a fixed batch, every few steps, in a log for `lucid screen`.

    from lucid_sam import Probe
    probe = Probe(model, criterion, train_loader, rho=0.05)  # before the loop
    ...
        probe()                                              # after each optimizer step

A step's own mini-batch is noise: a run can stand still for good while its batches look lively. A
fixed batch shows it. The probe takes gradients of its own and leaves everything as it was, bit for
bit: parameters, `.grad`, buffers such as those of BatchNorm, random numbers, and mixed precision.
"""

from __future__ import annotations

import copy
import random
import sys
from contextlib import contextmanager, nullcontext
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch

from .log import Log, Report, base_of, is_writer, setting, world_size

__all__ = ["Probe"]

Tensors = List[torch.Tensor]


class Probe:
    """Losses and gradients at x and at x⁺ = x + ρ g/‖g‖ on one fixed batch, every few steps.

    Args:
        model: The network, also wrapped in DistributedDataParallel or compiled. Probed in the mode
            it is in, outside autocast. Of several processes only rank 0 records.
        loss: Called as `loss(model(x), y)`, such as `torch.nn.CrossEntropyLoss()`; without a batch as
            `loss()`, and then it has to give the same function each time, and under
            DistributedDataParallel it has to call `model.module`. `None` for models that are called
            with a dict and return their loss, as those of Hugging Face.
        batch: What to probe on: a pair `(x, y)`, a dict, or a loader, from which as many batches are
            taken as make `samples`.
        optimizer: The run's optimizer. Gives rho, adaptive and the learning rate where they are not
            given; a class of SAM has them.
        rho: Radius of the ascent, in the norm of all parameters together.
        adaptive: Whether the ascent is ASAM's: scaled by |x|, elementwise.
        path: The log. Rows are added to a file that is there.
        every: Steps between probes; default: 45 up to step 900, so that a screen can judge before step
            1,000, and then 50 for every batch that the probe takes. A probe costs about a step for each of
            its batches: one or two cost less than 5 % of any 1,000 steps, each further one 2 % more of
            the first 1,000.
        samples: How many samples to take from a loader, in whole batches.
        descent: So many plain steps of the run's base optimizer are also tried in a copy, and the
            loss after them recorded: what the run would do without SAM. Each costs one gradient.
        seed: Of the random numbers inside a probe, such as dropout's: the same in each.
        log: Also told each row, as in `log=wandb.log` or `log=self.log_dict`.
        about: More for the log's first line.

    Raises:
        ValueError: in one line, when rho or what descent needs is missing.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Optional[Callable[..., Any]],
        batch: Any = None,
        optimizer: Optional[torch.optim.Optimizer] = None,
        *,
        rho: Optional[float] = None,
        adaptive: Optional[bool] = None,
        path: Optional[str] = "lucid.jsonl",
        every: Optional[int] = None,
        samples: int = 64,
        descent: int = 0,
        seed: int = 0,
        log: Optional[Report] = None,
        **about: Any,
    ) -> None:
        # The step that is under way; set it where a run goes on from a checkpoint.
        self.step = 0
        self._last, self._due = -1, 0
        self._active = is_writer()
        if not self._active:
            return
        if rho is None and setting(optimizer, "rho") is None:
            raise ValueError("missing rho: give the radius of SAM, as in rho=0.05")
        if descent > 0 and optimizer is None:
            raise ValueError("missing optimizer: descent takes its steps with a copy of it")
        # The wrapper of several processes would wait for the others in its forward pass.
        self._model = model.module if _is_parallel(model) else model
        self._params = [p for p in self._model.parameters() if p.requires_grad]
        if len(self._params) == 0:
            raise ValueError("missing parameters: the model has none that are trained")
        device = self._params[0].device
        # Loaders draw orders, and samples may be augmented.
        with _kept_random():
            batches = _batches_of(batch, samples, device)
        count = len(batches or [0])
        self.every = 50 * count if every is None else every
        # A screen judges from 20 rows on, and is to have them before step 1,000.
        self._grows = every is None
        self._loss = _mean_loss(self._model, loss, batches)
        self._optimizer = optimizer
        self._rho, self._adaptive = rho, adaptive
        self._descent, self._seed, self._report = descent, seed, log
        self._log = Log(
            path,
            {
                "evidence": "probe",
                "rho": self.rho,
                "adaptive": self.adaptive or None,
                "every": self.every,
                "samples": None if batches is None else sum(_size(part) for part in batches),
                "optimizer": None if optimizer is None else type(base_of(optimizer)).__name__,
                "dtype": str(self._params[0].dtype).replace("torch.", ""),
                **about,
            },
        )

    @property
    def rho(self) -> float:
        """The radius now: as given, or the optimizer's."""
        return float(setting(self._optimizer, "rho") if self._rho is None else self._rho)

    @property
    def adaptive(self) -> bool:
        given = self._adaptive
        return bool(setting(self._optimizer, "adaptive") if given is None else given)

    def __call__(self, step: Optional[int] = None, **more: float) -> Optional[Dict[str, float]]:
        """Count a step, and probe where one is due.

        Args:
            step: Number of the step, where the run counts itself; default: calls are counted.
            more: More numbers for the row.

        Returns:
            The row, or `None` where no probe was due.
        """
        now = self.step if step is None else step
        self.step = now + 1
        if not self._active:
            return None
        # A run that is continued, or begun again, is asked at once.
        if self._last < now < self._due:
            return None
        self._last = now
        if self._grows:
            self._due = now + (45 if now < 900 else self.every)
        else:
            self._due = now - now % self.every + self.every
        row = {"step": now, **self.look(), **more}
        self._log.line(row)
        if self._report is not None:
            self._report(row)
        return row

    def look(self) -> Dict[str, float]:
        """Probe now, whatever the step."""
        rho = self.rho
        with _undisturbed(self._model, self._params, self._seed):
            f, g = self._gradient()
            lengths = [p.detach().abs() for p in self._params] if self.adaptive else None
            scaled = g if lengths is None else _times(lengths, g)
            norm = _dot(scaled, scaled).sqrt()
            # ε = ρ g/‖g‖; ASAM: ρ |x|² g/‖|x| g‖.   A vanishing gradient gives no perturbation.
            stretch = torch.where(norm > 0, rho / norm.clamp_min(1e-300), torch.zeros_like(norm))
            towards = scaled if lengths is None else _times(lengths, scaled)
            before = [p.detach().clone() for p in self._params]
            with torch.no_grad():
                for p, e in zip(self._params, towards):
                    p.add_((e.double() * stretch).to(p.dtype))
            shifted, s = self._gradient()
            gg, ss, gs = _dot(g, g), _dot(s, s), _dot(g, s)
            numbers = [f, shifted, gg.sqrt(), ss.sqrt(), gs / (gg * ss).sqrt().clamp_min(1e-300)]
            if self._descent > 0:
                _restore(self._params, before)
                numbers.append(self._descended())
        # The one time that a device is waited for.
        values = torch.stack([value.double() for value in numbers]).tolist()
        names = ("loss", "shiftedLoss", "gradNorm", "shiftedGradNorm", "cosine", "descentLoss")
        rate = setting(self._optimizer, "lr")
        more = {"rho": rho} if rate is None else {"rho": rho, "lr": float(rate)}
        return {**dict(zip(names, values)), **more}

    def close(self) -> None:
        """Close the log."""
        if self._active:
            self._log.close()

    def _gradient(self) -> Tuple[torch.Tensor, Tensors]:
        _seed(self._seed, self._params[0].device)
        loss = self._loss()
        found = torch.autograd.grad(loss, self._params, allow_unused=True)
        unused = [torch.zeros_like(p) if g is None else g for p, g in zip(self._params, found)]
        return loss.detach(), unused

    def _descended(self) -> torch.Tensor:
        """The loss after a few plain steps of a copy of the optimizer."""
        assert self._optimizer is not None
        base = base_of(self._optimizer)
        other = type(base)([dict(group) for group in base.param_groups], **base.defaults)
        other.load_state_dict(copy.deepcopy(base.state_dict()))
        for _ in range(self._descent):
            _, g = self._gradient()
            for p, value in zip(self._params, g):
                p.grad = value
            other.step()
        _seed(self._seed, self._params[0].device)
        with torch.no_grad():
            return self._loss().detach()


def _dot(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> torch.Tensor:
    """⟨a, b⟩ over all parameters, summed in float64."""
    parts = [(x.double() * y.double()).sum() for x, y in zip(a, b)]
    return torch.stack([part.to(parts[0].device) for part in parts]).sum()


def _times(a: Tensors, b: Tensors) -> Tensors:
    return [x * y for x, y in zip(a, b)]


def _restore(tensors: Tensors, values: Tensors) -> None:
    with torch.no_grad():
        for tensor, value in zip(tensors, values):
            tensor.copy_(value)


def _is_parallel(model: torch.nn.Module) -> bool:
    parallel = torch.nn.parallel
    return isinstance(model, (parallel.DistributedDataParallel, parallel.DataParallel))


def _seed(seed: int, device: torch.device) -> None:
    """Seed what a forward pass may draw from: the default generators."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def _kept_random() -> Iterator[None]:
    """Put back the states of all random generators: of torch, of its devices, of Python, of NumPy."""
    cpu = torch.get_rng_state()
    has_cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    cuda = torch.cuda.get_rng_state_all() if has_cuda else None
    mps = getattr(torch, "mps", None)
    metal = mps.get_rng_state() if mps is not None and torch.backends.mps.is_available() else None
    plain = random.getstate()
    numpy = sys.modules.get("numpy")
    drawn = numpy.random.get_state() if numpy is not None else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None and metal is not None:
            mps.set_rng_state(metal)
        random.setstate(plain)
        if numpy is not None:
            numpy.random.set_state(drawn)


@contextmanager
def _undisturbed(model: torch.nn.Module, params: Tensors, seed: int) -> Iterator[None]:
    """Put everything back that a few gradients of the model change."""
    buffers = list(model.buffers())
    values, held = [p.detach().clone() for p in params], [p.grad for p in params]
    kept = [b.detach().clone() for b in buffers]
    # In training, normalization over several processes waits for the others.
    alone = [] if world_size() == 1 else [m for m in model.modules() if _is_synchronized(m)]
    was_training = [m.training for m in alone]
    device = params[0].device.type
    try:
        with _kept_random(), torch.enable_grad(), _exact(device):
            for module in alone:
                module.eval()
            yield
    finally:
        for module, training in zip(alone, was_training):
            module.train(training)
        _restore(params, values)
        _restore(buffers, kept)
        for p, g in zip(params, held):
            p.grad = g


def _exact(device: str) -> ContextManager[Any]:
    """Without mixed precision, where the device has it."""
    has_autocast = device in ("cpu", "cuda")
    return torch.autocast(device, enabled=False) if has_autocast else nullcontext()


def _is_synchronized(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.SyncBatchNorm)


def _batches_of(batch: Any, samples: int, device: torch.device) -> Optional[List[Any]]:
    """The batches, where the model is; `None` where none are given."""
    if batch is None:
        return None
    if isinstance(batch, (torch.Tensor, Mapping, list, tuple)):
        taken = [batch]
    else:
        taken, count = [], 0
        for part in batch:
            taken.append(part)
            count += _size(part)
            if count >= samples:
                break
    if sum(_size(part) for part in taken) == 0:
        raise ValueError("missing samples: the batch, or the loader, is empty")
    return [_moved(part, device) for part in taken]


def _size(batch: Any) -> int:
    if isinstance(batch, torch.Tensor):
        return len(batch)
    parts = batch.values() if isinstance(batch, Mapping) else batch
    return next((_size(part) for part in parts), 0)


def _moved(part: Any, device: torch.device) -> Any:
    if isinstance(part, torch.Tensor):
        return part.detach().to(device)
    if isinstance(part, Mapping):
        return {name: _moved(value, device) for name, value in part.items()}
    return [_moved(value, device) for value in part] if isinstance(part, (list, tuple)) else part


def _mean_loss(
    model: torch.nn.Module, loss: Optional[Callable[..., Any]], batches: Optional[List[Any]]
) -> Callable[[], torch.Tensor]:
    """The mean loss over the batches, each weighed by its samples."""
    if batches is None:
        if loss is None:
            raise ValueError("missing batch: give samples, or a loss that is called without any")
        return lambda: loss().mean()
    total = sum(_size(batch) for batch in batches)

    def one(batch: Any) -> torch.Tensor:
        if isinstance(batch, Mapping):
            output = model(**batch)
            if loss is not None:
                return loss(output, batch)
            return output["loss"] if isinstance(output, Mapping) else output.loss
        if loss is None:
            raise ValueError("missing loss: give one that is called as loss(model(x), y)")
        if isinstance(batch, torch.Tensor):
            return loss(model(batch))
        *inputs, target = batch
        return loss(model(*inputs), target)

    if len(batches) == 1:
        return lambda: one(batches[0]).mean()
    return lambda: torch.stack(
        [one(batch).mean() * (_size(batch) / total) for batch in batches]
    ).sum()
