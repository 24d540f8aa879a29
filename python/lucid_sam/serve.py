"""Server of a PyTorch loss and its derivatives over a pipe: what `lucid certify --python` runs.

The user's file defines

    def lucid():
        return model, loss, x, y

where `loss(model(x), y)` gives one number per sample, as `torch.nn.CrossEntropyLoss(reduction="none")`
does; the model is called as `model(*x)` where x is a list, as `model(**x)` where it is a dict. Or
`return model, loss` where `loss()` gives them. Everything is computed in float64, on the device of the
model.

Frames, both ways: a line of JSON, whose `floats` says how many little-endian float64 follow it.
Nothing else gets into the pipe: what the file prints goes to standard error.
"""

from __future__ import annotations

import os
import sys

# Before anything else is imported: modules beside this file, or beside the user's, may bear the
# names of those that torch needs.
sys.path = [path for path in sys.path if path not in ("", os.path.dirname(os.path.abspath(__file__)))]

import ctypes  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
import warnings  # noqa: E402
from typing import Any, BinaryIO, Callable, Dict, List, Mapping, Optional, Tuple  # noqa: E402

# Seconds between signs of life while something long is computed.
BEAT = 1.0
# Relative difference of two losses at one point that rounding on a GPU may make.
SAME = 1e-10


class Fault(Exception):
    """What is wrong, in one sentence for the user."""


class Pipe:
    """Frames on what were standard input and output."""

    def __init__(self) -> None:
        self._in: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb")
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.dup2(2, 1)

    def send(self, header: Mapping[str, Any], *parts: Any) -> None:
        floats = sum(part.numel() for part in parts)
        self._out.write((json.dumps({**header, "floats": floats}) + "\n").encode())
        for part in parts:
            flat = part.detach().to("cpu").double().contiguous()
            size = 8 * flat.numel()
            if size > 0:
                self._out.write(memoryview((ctypes.c_char * size).from_address(flat.data_ptr())))
        self._out.flush()

    def receive(self, torch: Any) -> Tuple[Optional[Dict[str, Any]], Any]:
        line = self._in.readline()
        if line == b"":
            return None, None
        header = json.loads(line)
        data = bytearray(8 * header.get("floats", 0))
        view, at = memoryview(data), 0
        while at < len(data):
            count = self._in.readinto(view[at:])  # type: ignore[attr-defined]
            if not count:
                return None, None
            at += count
        return header, torch.frombuffer(data, dtype=torch.float64) if data else None


class Point:
    """Parameters of their own: gradients at several points can be kept beside each other."""

    def __init__(self, torch: Any, params: List[Any], flat: Any) -> None:
        self.leaves = [torch.nn.Parameter(p.detach().clone()) for p in params]
        self.move(torch, flat)
        self.loss: Any = None
        self.gradient: Optional[List[Any]] = None

    def move(self, torch: Any, flat: Any) -> None:
        at = 0
        with torch.no_grad():
            for leaf in self.leaves:
                part = flat[at : at + leaf.numel()]
                leaf.copy_(part.to(leaf.device).view_as(leaf))
                at += leaf.numel()


class Server:
    """The loss of a user's file as a function of all trained parameters in one row."""

    def __init__(self, torch: Any, path: str, training: bool, at_once: Optional[int]) -> None:
        self.torch = torch
        self.path, self.at_once = path, at_once
        given = self._user(self._load, "the file")
        if not isinstance(given, tuple) or len(given) not in (2, 4):
            raise Fault("lucid() returns something else (return model, loss, x, y)")
        self.model, self._loss, *data = given
        if not isinstance(self.model, torch.nn.Module) or not callable(self._loss):
            raise Fault("lucid() returns something else (return model, loss, x, y)")
        self.model.train(training)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        if len(trained) == 0:
            raise Fault("no parameter of the model requires a gradient (set requires_grad)")
        if any(isinstance(m, torch.nn.RNNBase) for m in self.model.modules()):
            # The recurrent layers of cuDNN have no second derivative.
            torch.backends.cudnn.enabled = False
        # Metal has no float64.
        device = "cpu" if trained[0].device.type == "mps" else trained[0].device
        self.model.to(device).double()
        if isinstance(self._loss, torch.nn.Module):
            self._loss.to(device).double()
        self._data = [self._exact(part, device) for part in data]
        self.params = [p for p in self.model.parameters() if p.requires_grad]
        self.names = [(n, list(p.shape)) for n, p in self.model.named_parameters() if p.requires_grad]
        self.sizes = [p.numel() for p in self.params]
        self.dimension = sum(self.sizes)
        self._places = [
            [
                (module, name)
                for module in self.model.modules()
                for name, q in module._parameters.items()
                if q is p
            ]
            for p in self.params
        ]
        self._buffers = [
            (module, name, value.detach().clone())
            for module in self.model.modules()
            for name, value in module._buffers.items()
            if value is not None
        ]
        self.start = torch.cat([p.detach().reshape(-1) for p in self.params]).cpu()
        self.points: Dict[int, Point] = {}
        self._counted = 1
        self._check()

    def _load(self) -> Any:
        folder = os.path.dirname(os.path.abspath(self.path))
        sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location("lucid_model", self.path)
        if spec is None or spec.loader is None:
            raise Fault("it is no Python file (give one that ends in .py)")
        module = importlib.util.module_from_spec(spec)
        # Classes of the file are looked up by its name.
        sys.modules["lucid_model"] = module
        spec.loader.exec_module(module)
        if not callable(getattr(module, "lucid", None)):
            raise Fault("it defines no lucid() (def lucid(): return model, loss, x, y)")
        return module.lucid()

    def _exact(self, part: Any, device: Any) -> Any:
        if isinstance(part, self.torch.Tensor):
            part = part.detach().to(device)
            return part.double() if part.is_floating_point() else part
        if isinstance(part, Mapping):
            return {name: self._exact(value, device) for name, value in part.items()}
        if isinstance(part, (list, tuple)):
            return [self._exact(value, device) for value in part]
        return part

    def _user(self, work: Callable[[], Any], where: str) -> Any:
        """Run the user's code; what it throws becomes one sentence."""
        try:
            return work()
        except Fault:
            raise
        except MemoryError:
            raise Fault(f"{where} needs more memory than there is (--at-once takes less)") from None
        except BaseException as error:
            if "double backward" in str(error) or "is not implemented" in str(error):
                name = str(error).split("\n")[0]
                raise Fault(
                    f"{where} has no second derivative: {name} (use an operation that has one)"
                ) from None
            frames = traceback.extract_tb(error.__traceback__)
            own = os.path.abspath(self.path)
            lines = [f.lineno for f in frames if os.path.abspath(f.filename) == own]
            place = f" in line {lines[-1]}" if lines else ""
            what = str(error).strip().split("\n")[0]
            raise Fault(f"{where} raised {type(error).__name__}{place}: {what}") from None

    def _check(self) -> None:
        """The loss has to be a function of the parameters, in float64."""
        first, second = self.value(), self.value()
        if not abs(first - second) <= SAME * max(abs(first), abs(second)) and first == first:
            raise Fault(
                f"the loss is another each time, {first!r} and {second!r} at the same parameters "
                "(turn off dropout and augmentation, and draw the samples once)"
            )

    def _parts(self) -> List[Tuple[Any, float]]:
        """Samples that are differentiated at once, with their share."""
        if len(self._data) == 0 or self.at_once is None:
            return [(self._data, 1.0)]
        count = self.samples
        return [
            ([_rows(part, at, at + self.at_once) for part in self._data],
             (min(count, at + self.at_once) - at) / count)
            for at in range(0, count, self.at_once)
        ]

    @property
    def samples(self) -> int:
        return self._counted if len(self._data) == 0 else _count(self._data[1]) or 1

    def _mean(self, leaves: List[Any], data: Any) -> Any:
        for places, leaf in zip(self._places, leaves):
            for module, name in places:
                setattr(module, name, leaf)
        # Fresh ones: a forward pass may update them in place.
        for module, name, value in self._buffers:
            module._buffers[name] = value.clone()

        def work() -> Any:
            if len(data) == 0:
                return self._loss()
            x, y = data
            if isinstance(x, Mapping):
                output = self.model(**x)
            else:
                output = self.model(*x) if isinstance(x, list) else self.model(x)
            return self._loss(output, y)

        losses = self._user(work, "the loss")
        torch = self.torch
        if not isinstance(losses, torch.Tensor) or not losses.is_floating_point():
            raise Fault("the loss is no tensor of floats (return one number per sample)")
        if losses.dtype != torch.float64:
            name = str(losses.dtype).replace("torch.", "")
            raise Fault(f"the loss is in {name} (leave out autocast, .float() and .half())")
        if not losses.requires_grad:
            raise Fault("the loss does not depend on the parameters (leave out no_grad and detach)")
        if losses.dim() == 0 and self.at_once is not None:
            raise Fault('the loss is one number (--at-once needs one per sample, reduction="none")')
        self._counted = losses.numel()
        return losses.mean()

    def value(self) -> float:
        with self.torch.enable_grad():
            return sum(share * self._mean(self.params, data).item() for data, share in self._parts())

    def gradient(self, leaves: List[Any], keep: bool = False) -> Tuple[Any, List[Any]]:
        torch = self.torch
        total, sums = 0.0, None
        with torch.enable_grad():
            for data, share in self._parts():
                loss = self._mean(leaves, data)
                found = self._user(
                    lambda: torch.autograd.grad(loss, leaves, create_graph=keep, allow_unused=True),
                    "the gradient of the loss",
                )
                parts = [torch.zeros_like(p) if g is None else g for p, g in zip(leaves, found)]
                total = total + share * loss.detach()
                if share != 1.0:
                    parts = [share * g for g in parts]
                sums = parts if sums is None else [a + b for a, b in zip(sums, parts)]
        assert sums is not None
        return total, sums

    def flat(self, parts: List[Any]) -> Any:
        return self.torch.cat([part.detach().reshape(-1) for part in parts]).cpu()

    def product(self, point: Point, vector: Any) -> Any:
        """H v: the derivative of ⟨g, v⟩. The graph of g is kept, where all samples are in it."""
        torch = self.torch
        vectors = [
            part.to(leaf.device).view_as(leaf)
            for part, leaf in zip(vector.split(self.sizes), point.leaves)
        ]
        if len(self._parts()) == 1:
            if point.gradient is None:
                point.loss, point.gradient = self.gradient(point.leaves, keep=True)
            return self.flat(self._times(point.leaves, point.gradient, vectors, True))
        total = None
        with torch.enable_grad():
            for data, share in self._parts():
                loss = self._mean(point.leaves, data)
                found = torch.autograd.grad(loss, point.leaves, create_graph=True, allow_unused=True)
                parts = [torch.zeros_like(p) if g is None else g for p, g in zip(point.leaves, found)]
                image = share * self.flat(self._times(point.leaves, parts, vectors, False))
                total = image if total is None else total + image
        return total

    def _times(self, leaves: List[Any], gradient: List[Any], vectors: List[Any], keep: bool) -> List[Any]:
        torch = self.torch
        # Where the loss is linear in a parameter its part of the gradient depends on nothing.
        curved = [(g, v) for g, v in zip(gradient, vectors) if g.requires_grad]
        if len(curved) == 0:
            return [torch.zeros_like(p) for p in leaves]
        found = self._user(
            lambda: torch.autograd.grad(
                [g for g, _ in curved],
                leaves,
                grad_outputs=[v for _, v in curved],
                retain_graph=keep,
                allow_unused=True,
            ),
            "the loss",
        )
        return [torch.zeros_like(p) if h is None else h for p, h in zip(leaves, found)]

    def run(self, query: Mapping[str, Any], flat: Any, beat: Callable[[int], None]) -> Tuple[Any, Any]:
        """SAM from a point, with SGD in PyTorch's convention; what it saw, and where it ends."""
        torch = self.torch
        rho, rate, decay = query["rho"], query["lr"], query["weightDecay"]
        momentum, nesterov, steps = query["momentum"], query["nesterov"], query["steps"]
        x = flat.to(self.params[0].device).clone()
        point = Point(torch, self.params, x)
        velocity = torch.zeros_like(x)
        trace = torch.full((steps, 4), float("nan"), dtype=torch.float64)

        def look(at: Any) -> Tuple[Any, Any]:
            point.move(torch, at)
            loss, parts = self.gradient(point.leaves)
            return loss, torch.cat([part.detach().reshape(-1) for part in parts])

        for step in range(steps):
            loss, g = look(x)
            norm = g.norm()
            s = look(x + rho / norm * g)[1] if rho > 0 and norm > 0 else g
            size = s.norm()
            cosine = (g @ s / (norm * size)) if norm > 0 and size > 0 else torch.zeros_like(norm)
            trace[step] = torch.stack([loss, norm, size, cosine]).cpu()
            if not bool(torch.isfinite(s).all()) or not bool(torch.isfinite(loss)):
                return trace, torch.full_like(x, float("nan"))
            d = s + decay * x
            velocity = momentum * velocity + d
            x = x - rate * ((d + momentum * velocity) if nesterov else velocity)
            beat(step)
        return trace, x


def _rows(part: Any, start: int, end: int) -> Any:
    if isinstance(part, Mapping):
        return {name: _rows(value, start, end) for name, value in part.items()}
    return [_rows(value, start, end) for value in part] if isinstance(part, list) else part[start:end]


def _count(part: Any) -> Optional[int]:
    if isinstance(part, Mapping):
        return next((_count(value) for value in part.values()), None)
    if isinstance(part, list):
        return _count(part[0]) if part else None
    return len(part) if getattr(part, "shape", ()) else None


def _prepare(torch: Any, threads: int) -> None:
    """Second derivatives need operations that have them: fused attention has none."""
    torch.set_num_threads(threads)
    backends = torch.backends.cuda
    for name in ("enable_flash_sdp", "enable_mem_efficient_sdp", "enable_cudnn_sdp"):
        if hasattr(backends, name):
            getattr(backends, name)(False)
    if hasattr(backends, "enable_math_sdp"):
        backends.enable_math_sdp(True)


def _serve(pipe: Pipe, torch: Any, server: Server) -> None:
    normalized = any(
        isinstance(m, torch.nn.modules.batchnorm._NormBase) for m in server.model.modules()
    )
    pipe.send(
        {
            "torch": str(torch.__version__),
            "device": str(server.params[0].device),
            "model": type(server.model).__name__,
            "names": server.names,
            "samples": server.samples,
            "normalized": normalized,
        },
        server.start,
    )
    last = time.monotonic()

    def beat(step: int) -> None:
        nonlocal last
        if time.monotonic() - last > BEAT:
            last = time.monotonic()
            pipe.send({"alive": True, "step": step})

    while True:
        query, data = pipe.receive(torch)
        if query is None:
            return
        op = query["op"]
        if op == "point":
            server.points[query["point"]] = Point(torch, server.params, data)
            pipe.send({})
        elif op == "gradient":
            point = server.points[query["point"]]
            loss, gradient = server.gradient(point.leaves)
            pipe.send({}, loss.reshape(1), server.flat(gradient))
        elif op == "product":
            pipe.send({}, server.product(server.points[query["point"]], data))
        elif op == "hessian":
            rows = []
            for i in range(server.dimension):
                unit = torch.zeros(server.dimension, dtype=torch.float64)
                unit[i] = 1
                rows.append(server.product(server.points[query["point"]], unit))
                beat(i)
            pipe.send({}, torch.stack(rows))
        elif op == "run":
            trace, end = server.run(query, data, beat)
            pipe.send({}, trace, end)
        else:
            raise Fault(f"unknown operation {op}")


def main(path: str, mode: str, at_once: str, threads: str) -> None:
    # Ctrl-C is for the program at the other end: this one ends when the pipe does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = Pipe()
    try:
        import torch
    except Exception as error:
        reason = str(error).split("\n")[0]
        pipe.send({"missing": f"{reason} ({sys.executable} is Python {sys.version.split()[0]})"})
        return
    try:
        pipe.send({"alive": True})
        warnings.filterwarnings("ignore", category=UserWarning)
        _prepare(torch, int(threads))
        _serve(pipe, torch, Server(torch, path, mode == "train", int(at_once) or None))
    except Fault as fault:
        pipe.send({"error": str(fault)})
    except BrokenPipeError:
        return
    except BaseException as error:
        what = str(error).strip().split("\n")[0]
        pipe.send({"error": f"{type(error).__name__}: {what}"})


if __name__ == "__main__":
    main(*sys.argv[1:])
