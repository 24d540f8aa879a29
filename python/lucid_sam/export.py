"""Export of a PyTorch model, its loss and its samples as a training problem that lucid reads.

    from lucid_sam.export import export
    export(model, torch.nn.CrossEntropyLoss(reduction="none"), x, y, "folder")

writes a folder for `lucid train|certify|find --problem ./folder`:

- `loss.onnx`: losses and outputs as a function of parameters, buffers and samples, in evaluation
  mode. Parameters are *inputs* of the graph, so no exporter can fold, merge or rename them, and the
  loss is the user's own. `train.onnx` is the same in training mode, where that is another function.
- `point.safetensors`: the parameters and buffers of the model, by PyTorch's names.
- `batch.safetensors`: the samples.

Needs torch 2.5 or newer, and `pip install onnx onnxscript`, which torch's exporter uses.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import json
import math
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import torch

__all__ = ["export"]

Samples = Union[torch.Tensor, Sequence[torch.Tensor], Mapping[str, torch.Tensor]]

OPSET = 20
# Samples with which a model is traced: more than one, since torch takes a side of 1 for a constant.
TRACED = 4


def export(
    model: torch.nn.Module,
    loss: Callable[[Any, Any], torch.Tensor],
    x: Samples,
    y: torch.Tensor,
    folder: str | os.PathLike[str],
    *,
    test: tuple[Samples, torch.Tensor] | None = None,
    constants: Mapping[str, torch.Tensor] | None = None,
) -> Path:
    """Write `model`, `loss` and samples into a folder that `lucid train --problem ./folder` reads.

    Args:
        model: Called as `model(x)`; as `model(*x)` where x is a list, `model(**x)` where it is a
            dict. Its parameters and buffers are the point. It is left as it is.
        loss: Called as `loss(model(x), y)`; gives one number per sample, shape [samples], such as
            `torch.nn.CrossEntropyLoss(reduction="none")`. Training takes their mean.
        x, y: The samples to learn from; their first axis counts samples.
        folder: Made where it is missing. Files of an earlier export in it are replaced.
        test: Samples to judge on, `(x, y)`.
        constants: Data without a sample axis that the model takes by name, such as the edges of a
            graph: `model(x, edges=...)`. The samples are then never divided into batches.

    Returns:
        The folder.

    Raises:
        RuntimeError: in one line, when torch is too old or packages are missing.
        ValueError: in one line, when the loss or the samples are not as described.
    """
    _check_versions()
    constants = dict(constants or {})
    train = _by_name(x, y)
    count = _check_samples("the samples", train)
    files = dict(train)
    if test is not None and constants:
        raise ValueError("invalid test: with constants, which mean the samples to learn from (leave it out)")
    if test is not None:
        judged = _by_name(*test)
        _check_samples("the test samples", judged)
        files.update({f"test.{name}": value for name, value in judged.items()})
    files.update({f"constant.{name}": value for name, value in constants.items()})

    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    # In float64, so that no number in the graph is rounded to float32: 1/sqrt(d) stays exact.
    exact, exact_loss = _in_float64(model), _in_float64(loss)
    fixed = bool(constants)
    some = {name: value if fixed else value[: min(count, TRACED)] for name, value in train.items()}
    graphs: dict[str, bytes] = {}
    for mode in ("loss", "train"):
        graphs[mode] = _graph(exact, exact_loss, x, some, constants, mode == "train", fixed, train)
    _write(into / "loss.onnx", graphs["loss"])
    # A model without dropout and batch statistics is one function in both modes.
    if graphs["train"] != graphs["loss"]:
        _write(into / "train.onnx", graphs["train"])
    else:
        (into / "train.onnx").unlink(missing_ok=True)
    state = {f"param.{k}": p for k, p in model.named_parameters()}
    state.update({f"buffer.{k}": b for k, b in model.named_buffers()})
    _write(into / "point.safetensors", _safetensors(state, {"state": json.dumps(_state(model))}))
    _write(into / "batch.safetensors", _safetensors(files, {}))
    return into


def _check_versions() -> None:
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < (2, 5):
        raise RuntimeError(
            f"lucid_sam.export needs torch 2.5 or newer; this is {torch.__version__} "
            "(probe, watch and `lucid certify --python` work with older ones)"
        )
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ImportError:
            raise RuntimeError(
                f"lucid_sam.export needs the package {package}: pip install onnx onnxscript"
            ) from None


def _by_name(x: Samples, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """Samples by the names of the graph's inputs: `x`, or `x.0`, `x.mask`, ...; `y`."""
    if isinstance(x, torch.Tensor):
        named = {"x": x}
    elif isinstance(x, Mapping):
        named = {f"x.{name}": value for name, value in x.items()}
    else:
        named = {f"x.{i}": value for i, value in enumerate(x)}
    return {**named, "y": y}


def _check_samples(what: str, samples: Mapping[str, torch.Tensor]) -> int:
    for name, value in samples.items():
        if not isinstance(value, torch.Tensor) or value.dim() == 0:
            raise ValueError(f"invalid {name} of {what}: give a tensor with one row per sample")
    sizes = {name: len(value) for name, value in samples.items()}
    if len(set(sizes.values())) != 1 or min(sizes.values()) == 0:
        raise ValueError(f"invalid sizes of {what}: {sizes} (give one row per sample in each)")
    return sizes["y"]


def _double(value: torch.Tensor) -> torch.Tensor:
    value = value.detach().cpu()
    return value.double() if value.is_floating_point() else value.clone()


def _in_float64(part: Any) -> Any:
    """A copy in float64 on the CPU, of modules; other callables as they are."""
    return copy.deepcopy(part).cpu().double() if isinstance(part, torch.nn.Module) else part


class _Loss(torch.nn.Module):
    """Losses, outputs and buffers afterwards, as a function of everything."""

    def __init__(self, model: torch.nn.Module, loss: Callable[..., Any], call: Callable[..., Any]):
        super().__init__()
        # In a tuple: not registered, so that its parameters are no constants of this module.
        self._held = (model, loss, call)

    def forward(self, params, buffers, samples, constants):
        model, loss, call = self._held
        # Copies: training mode updates buffers in place.
        kept = {name: value.clone() for name, value in buffers.items()}
        args, named = call(samples)
        outputs = torch.func.functional_call(model, {**params, **kept}, args, {**named, **constants})
        losses = loss(outputs, samples["y"])
        results = [losses]
        if _has_rows(outputs, losses):
            results.append(outputs)
        return (*results, *(kept[name] for name in _floats(kept)))


def _floats(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    return [name for name, value in tensors.items() if value.is_floating_point()]


def _has_rows(outputs: Any, losses: torch.Tensor) -> bool:
    return isinstance(outputs, torch.Tensor) and outputs.shape[:1] == losses.shape[:1]


def _graph(
    model: torch.nn.Module,
    loss: Callable[..., Any],
    x: Samples,
    some: Mapping[str, torch.Tensor],
    constants: Mapping[str, torch.Tensor],
    training: bool,
    fixed: bool,
    every: Mapping[str, torch.Tensor],
) -> bytes:
    """One function as ONNX: for any number of samples where torch can, else for exactly these."""
    model.train(training)
    if isinstance(loss, torch.nn.Module):
        loss.train(training)
    function = _Loss(model, loss, _call_of(x))
    params = {k: p.detach().clone() for k, p in model.named_parameters()}
    buffers = {k: b.detach().clone() for k, b in model.named_buffers()}
    fixed_inputs = {k: _double(v) for k, v in constants.items()}
    samples = {k: _double(v) for k, v in some.items()}
    arguments = {
        "params": params,
        "buffers": buffers,
        "samples": samples,
        "constants": {k: _double(v) for k, v in constants.items()},
    }
    with torch.no_grad():
        results = function(**arguments)
    rows = len(samples["y"])
    if tuple(results[0].shape) != (rows,):
        raise ValueError(
            f"invalid loss: shape {list(results[0].shape)} for {rows} samples (give one number per "
            'sample, [samples]: reduction="none", and the mean over what else a sample has)'
        )
    inputs = [
        *(f"param.{k}" for k in params),
        *(f"buffer.{k}" for k in buffers),
        *samples,
        *(f"constant.{k}" for k in constants),
    ]
    updated = [f"next.{k}" for k in _floats(buffers)]
    outputs = ["losses", *(["outputs"] if len(results) > 1 + len(updated) else []), *updated]
    shapes = {part: {k: None for k in tensors} for part, tensors in arguments.items()}
    if not fixed:
        batch = torch.export.Dim("batch", min=1)
        shapes["samples"] = {k: {0: batch} for k in samples}
    if fixed:
        return _onnx(function, arguments, shapes, inputs, outputs).SerializeToString()
    reason = "something in it, such as len(x), makes that number a constant; x.shape[0] does not"
    try:
        proto = _onnx(function, arguments, shapes, inputs, outputs)
        # Where a model asks for the number of samples as an int, torch takes it for a constant.
        if _takes_any_number(proto, samples):
            return proto.SerializeToString()
    except Exception as error:  # noqa: BLE001 -- the exporter raises anything
        reason = str(error).strip().split("\n")[0]
    warnings.warn(
        f"the model is exported for exactly {len(every['y'])} samples, so that it trains with "
        f"--batch full only: torch cannot export it for any number of samples ({reason})",
        stacklevel=3,
    )
    whole = {**arguments, "samples": {k: _double(v) for k, v in every.items()}}
    unchanging = {part: {k: None for k in tensors} for part, tensors in arguments.items()}
    return _onnx(function, whole, unchanging, inputs, outputs).SerializeToString()


def _takes_any_number(proto: Any, samples: Mapping[str, torch.Tensor]) -> bool:
    inputs = [value for value in proto.graph.input if value.name in samples]
    return all(value.type.tensor_type.shape.dim[0].dim_param for value in inputs)


def _call_of(x: Samples) -> Callable[[Mapping[str, torch.Tensor]], tuple[tuple, dict]]:
    """How samples by name are handed to the model: positions and keywords."""
    if isinstance(x, torch.Tensor):
        return lambda samples: ((samples["x"],), {})
    if isinstance(x, Mapping):
        names = list(x)
        return lambda samples: ((), {name: samples[f"x.{name}"] for name in names})
    count = len(x)
    return lambda samples: (tuple(samples[f"x.{i}"] for i in range(count)), {})


def _onnx(function, arguments, shapes, inputs, outputs) -> Any:
    with warnings.catch_warnings(), _batch_statistics():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            function,
            (),
            kwargs=arguments,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes,
        )
    proto = program.model_proto
    # Where in which file each node was made: half of the bytes, and different on every machine.
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*proto.graph.input, *proto.graph.output, *proto.graph.value_info]:
        del value.metadata_props[:]
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    return proto


@contextlib.contextmanager
def _batch_statistics() -> Iterator[None]:
    """Batch normalization in training mode as plain arithmetic.

    torch's exporter (2.15) writes it with the running statistics, which is another function.
    """
    theirs = torch.nn.functional.batch_norm

    def batch_norm(
        x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
    ):
        if not training:
            return theirs(x, running_mean, running_var, weight, bias, training, momentum, eps)
        axes = [0, *range(2, x.dim())]
        wide = [1, -1] + [1] * (x.dim() - 2)
        mean = x.mean(axes)
        centered = x - mean.view(wide)
        variance = (centered * centered).mean(axes)
        if running_mean is not None:
            count = x.shape[0] * math.prod(x.shape[2:])
            running_mean.copy_(running_mean * (1 - momentum) + mean * momentum)
            unbiased = variance * count / (count - 1)
            running_var.copy_(running_var * (1 - momentum) + unbiased * momentum)
        y = centered / torch.sqrt(variance + eps).view(wide)
        y = y if weight is None else y * weight.view(wide)
        return y if bias is None else y + bias.view(wide)

    torch.nn.functional.batch_norm = batch_norm
    try:
        yield
    finally:
        torch.nn.functional.batch_norm = theirs


def _state(model: torch.nn.Module) -> dict[str, str]:
    """Names in the state_dict, with the tensor that each means: a head may share its embedding's
    weight, which then has two."""
    first = {id(v): k for k, v in [*model.named_parameters(), *model.named_buffers()]}
    every = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ]
    kept = model.state_dict().keys()
    return {k: first[id(v)] for k, v in every if k in kept}


_FORMATS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def _safetensors(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """The safetensors format: the length of a JSON header, the header, the numbers."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts: list[bytes] = []
    end = 0
    # Widest elements first, so that each tensor begins at a multiple of its element size.
    for name, value in sorted(tensors.items(), key=lambda item: -item[1].element_size()):
        if value.dtype not in _FORMATS:
            raise ValueError(f"invalid {name}: dtype {value.dtype} (give floats or integers)")
        flat = value.detach().cpu().contiguous().reshape(-1)
        data = ctypes.string_at(flat.data_ptr(), flat.numel() * flat.element_size())
        place = [end, end + len(data)]
        header[name] = {
            "dtype": _FORMATS[value.dtype],
            "shape": list(value.shape),
            "data_offsets": place,
        }
        parts.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def _write(path: Path, content: bytes) -> None:
    """Written under another name and renamed: a file is whole or not there."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
