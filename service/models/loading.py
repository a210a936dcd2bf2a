"""One version, from its folder to a model that can be asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.engine.limits import EngineLimits
from service.engine.observer import Observer, Unobserved
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.worker import Engine
from service.models.checked import CheckedModel
from service.models.inside import Inside
from service.models.memory import require_memory
from service.models.registry import ServedModel
from service.runtime.burst import BurstDecoder, prepare_to_hold
from service.runtime.cores import usable_cores
from service.runtime.memory import available_bytes, resident_bytes

_log = logging.getLogger(__name__)
_MOST_LANES = 4


@dataclass(frozen=True, slots=True)
class EngineSizes:
    """What one model gets of the machine.

    Attributes:
        max_rows: Texts that run at the same time.
        num_lanes: Threads that run bursts; None for one for each core, at most 4.
        num_threads: Of each of them; None for its share of the cores.
        prefix_cache_bytes: Memory for prompts that were read; 0 keeps none.
        limits: Bounds of its engine.
        constrains: Whether its texts can be held to patterns.
        clamps: Whether units can be held.
        observer_of: Makes who hears of its engine's work, by `name@version`.
    """

    max_rows: int
    num_lanes: int | None
    num_threads: int | None
    prefix_cache_bytes: int
    limits: EngineLimits
    constrains: bool = False
    clamps: bool = False
    observer_of: Callable[[str], Observer] = lambda _: Unobserved()


def load_model(store: ModelStore, reference: Reference, sizes: EngineSizes) -> ServedModel:
    """Verify, check, load and warm up one model.

    Raises:
        ArtifactError: A file is not what it should be, or the model cannot be run, or is too large
            for the memory that there is.
    """
    checked = CheckedModel.of(store, reference)
    require_memory(checked, _num_sessions(sizes), available_bytes())
    for remark in checked.artifact.remarks:
        _log.warning("%s is served, but %s", reference, remark)
    before = resident_bytes()
    cache = PrefixCache(sizes.prefix_cache_bytes)
    manifest = checked.artifact.manifest
    observer = sizes.observer_of(manifest.ref)
    decoders = _decoders(checked, sizes)
    engine = Engine(manifest.ref, decoders, sizes.limits, cache, observer=observer)
    loaded_bytes = max(0, resident_bytes() - before)
    inside = Inside(checked.artifact)
    holds = partial(prepare_to_hold, decoders)
    return ServedModel(manifest, checked.tokenizer, engine, inside, loaded_bytes, holds)


def _num_lanes(sizes: EngineSizes) -> int:
    return min(sizes.num_lanes or min(usable_cores(), _MOST_LANES), sizes.max_rows)


def _num_threads(sizes: EngineSizes) -> int:
    return sizes.num_threads or max(1, usable_cores() // _num_lanes(sizes))


def _num_sessions(sizes: EngineSizes) -> int:
    """Lanes of one thread run one session, and have the weights once.

    With several threads each lane has its own, and so a pool of threads that no other lane needs.
    """
    return 1 if _num_threads(sizes) == 1 else _num_lanes(sizes)


def _decoders(model: CheckedModel, sizes: EngineSizes) -> list[BurstDecoder]:
    """One for each lane of the engine; they share the model's rows, and what reads prompts."""
    num_lanes, num_sessions = _num_lanes(sizes), _num_sessions(sizes)
    num_threads = _num_threads(sizes)
    capacities = [(sizes.max_rows + n) // num_lanes for n in range(num_lanes)]
    reader = model.reader(num_threads=num_threads)
    own = [
        model.decoder(
            capacity=capacity,
            num_threads=num_threads,
            reader=reader,
            constrains=sizes.constrains,
            clamps=sizes.clamps,
        )
        for capacity in capacities[-num_sessions:]
    ]
    return [own[0].another(capacity=each) for each in capacities[:-num_sessions]] + own
