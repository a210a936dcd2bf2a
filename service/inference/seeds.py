"""Seeds of several texts that are asked for with one."""

from __future__ import annotations

from dataclasses import replace

from service.engine.request import Request
from service.inference.request import SEED_BITS


def seed_of(seed: int, index: int) -> int:
    """The seed of text `index` of several: the seed itself, and those after it.

    So do forks, and vLLM's `n`. Seeds after the first stay below 2^53, as drawn ones do: a reader
    of JSON keeps them.
    """
    return seed if index == 0 else (seed + index) % (1 << SEED_BITS)


def for_text(request: Request, index: int) -> Request:
    """The request of text `index` of several that are asked for with this one."""
    if index == 0:
        return request
    seed = seed_of(request.sampling.seed, index)
    return replace(request, sampling=request.sampling.model_copy(update={"seed": seed}))
