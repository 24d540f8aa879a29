"""Log of a run for `lucid screen`: one header line, then a line of JSON per row."""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping, Optional

import torch

# Which of the process group writes; the others record nothing.
WRITER = 0


class Log:
    """A file of rows that grows. A run that is begun again adds a header and goes on below it."""

    def __init__(self, path: Optional[str], header: Mapping[str, Any]) -> None:
        # Line by line, so that `lucid screen --follow` sees each row at once.
        self._file = open(path, "a", buffering=1, encoding="utf-8") if path is not None else None
        known = {key: value for key, value in header.items() if value is not None}
        self.line({"lucid": 1, **known, "torch": str(torch.__version__)})

    def line(self, row: Mapping[str, Any]) -> None:
        """Add a row; numbers that are not finite are written as NaN and Infinity."""
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def is_writer() -> bool:
    """Whether this process records: the only one, or the first of several."""
    group = torch.distributed
    return not (group.is_available() and group.is_initialized()) or group.get_rank() == WRITER


def world_size() -> int:
    group = torch.distributed
    return group.get_world_size() if group.is_available() and group.is_initialized() else 1


def base_of(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimizer that moves the parameters: what a SAM class wraps, or the optimizer itself."""
    return getattr(optimizer, "base_optimizer", optimizer)


def setting(optimizer: Optional[torch.optim.Optimizer], name: str) -> Any:
    """A setting of an optimizer's first group, at this moment; `None` where it has no such one."""
    return None if optimizer is None else optimizer.param_groups[0].get(name)


Report = Callable[[Mapping[str, float]], Any]
