"""Several processes that train one model, each on its part of the columns.

`torchrun --nproc-per-node N -m training.cli train CONFIG` starts them (Li et al. 2020, "PyTorch
Distributed", arXiv:2006.15704). Each reads B/N columns; gradients are averaged while they are
computed; so all take the same steps as one process with all columns would, but for the random
numbers of dropout, which each draws for itself.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from training.models.contract import State
from training.models.language_model import LanguageModel, Reading

Read = Callable[[Tensor, Tensor, State], Reading]
_SEEDS_APART = 1_000_003


@dataclass(frozen=True)
class Workers:
    """This process among its like; by itself nothing is exchanged.

    Every method must be called by all of them in the same order.

    Attributes:
        rank: Its number, from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes files and talks."""
        return self.rank == 0

    @property
    def part(self) -> tuple[int, int]:
        """Which part of the columns is its own, and of how many."""
        return self.rank, self.size

    def reader(self, model: LanguageModel, *, may_leave_out: bool) -> Read:
        """`model.read`, with gradients averaged; all begin with the weights of the first.

        Args:
            model: Trained by all.
            may_leave_out: Whether a window may leave some weights without a gradient.
        """
        if self.size == 1:
            return model.read
        return DistributedDataParallel(_Reader(model), find_unused_parameters=may_leave_out)

    def seed(self, seed: int) -> int:
        """A seed of one's own; the first one's is the given one."""
        return seed + _SEEDS_APART * self.rank

    def mean(self, value: float) -> float:
        """Of the values of all."""
        return float(self._sum(torch.tensor(value, dtype=torch.float64))) / self.size

    def any(self, flag: bool) -> bool:
        """Whether it is true for one of them."""
        return bool(self._sum(torch.tensor(int(flag))))

    def gathered(self, mine: Tensor) -> Tensor:
        """The tensors of all, [B, ...] each, one after the other."""
        if self.size == 1:
            return mine
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(parts, mine)
        return torch.cat(parts)

    def mine(self, gathered: Tensor) -> Tensor:
        """The inverse of `gathered`."""
        return gathered.chunk(self.size)[self.rank]

    def first_goes_ahead(self, work: Callable[[], object]) -> None:
        """Let the first one make what the others will find."""
        if self.is_first:
            work()
        if self.size > 1:
            distributed.barrier()

    def _sum(self, value: Tensor) -> Tensor:
        if self.size > 1:
            distributed.all_reduce(value)
        return value


ALONE = Workers()


@contextmanager
def joined_workers() -> Iterator[Workers]:
    """The processes that torchrun has started, or this one alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    # What DistributedDataParallel imports takes the group of that moment for default arguments, if
    # there is one. A group that outlives the interpreter, and whose thread only then lets go of a
    # tensor, aborts the process.
    importlib.import_module("torch.distributed.nn")
    distributed.init_process_group("gloo")
    try:
        yield Workers(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()


class _Reader(nn.Module):
    """`read` under the name that DistributedDataParallel calls."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids_TB: Tensor, targets_TB: Tensor, state: State) -> Reading:
        return self.model.read(ids_TB, targets_TB, state)
