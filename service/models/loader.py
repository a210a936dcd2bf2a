"""From a version folder to a model that can be asked: verified, checked, loaded, warmed up."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import onnx

from service.artifacts.errors import ArtifactError
from service.artifacts.graph import check_step_graph
from service.artifacts.reference import Reference
from service.artifacts.store import Artifact, ModelStore, read_manifest
from service.artifacts.tokenizer import Tokenizer
from service.engine.limits import EngineLimits
from service.engine.pool import EnginePool
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.worker import Engine
from service.models.errors import CannotServe, ModelUnknown
from service.models.registry import ModelRegistry, ServedModel
from service.rows.row import Row
from service.runtime.burst import BurstDecoder
from service.runtime.cores import usable_cores
from service.runtime.decoder import Burst, Decoder
from service.runtime.sampling import Sampling

_log = logging.getLogger(__name__)
_MOST_ENGINES = 4


@dataclass(frozen=True, slots=True)
class EngineSizes:
    """What one model gets of the machine; its engines share it.

    Attributes:
        max_rows: Texts that run at the same time.
        num_engines: None for one for each core, at most 4.
        num_threads: Of one engine; None for its share of the cores.
        prefix_cache_bytes: Memory for prompts that were read; 0 keeps none.
        limits: Bounds of one engine that would be alone; several share them.
    """

    max_rows: int
    num_engines: int | None
    num_threads: int | None
    prefix_cache_bytes: int
    limits: EngineLimits


def load_models(
    store: ModelStore, names: tuple[str, ...], default: str | None, sizes: EngineSizes
) -> ModelRegistry:
    """The models that are to be served.

    Args:
        store: Where they are.
        names: Which of them, `name` or `name@version`; all if empty.
        default: Who answers requests that name no model; without one the first of `names`, or the
            model that was published first.
        sizes: What each of them gets.

    Raises:
        CannotServe: There is no model, none that is whole, or not the one that is named.
    """
    served: list[ServedModel] = []
    broken: dict[str, str] = {}
    for name, version in _wanted(store, names):
        try:
            served.append(_load(store.verify(name, version), sizes))
        except ArtifactError as error:
            reference = str(Reference(name, version))
            _log.error("%s cannot be served: %s", reference, error)
            broken[reference] = str(error)
    if not served:
        reasons = "; ".join(broken.values()) or f"{store.root} holds no models"
        raise CannotServe(reasons)
    try:
        if not default:
            default = served[0].ref if names else _first_published(store, served)
        return ModelRegistry(served, default, broken)
    except (ModelUnknown, ArtifactError) as error:
        raise CannotServe(f"default_model: {error}") from error


def _wanted(store: ModelStore, names: tuple[str, ...]) -> list[tuple[str, int]]:
    """The versions to load, each once: of every name the newest, unless it says which."""
    wanted = []
    for name in names or store.names():
        try:
            reference = Reference.parse(name)
        except ValueError as error:
            raise CannotServe(f"models: {error}") from error
        versions = store.versions(reference.name)
        if not versions:
            raise CannotServe(f"{store.root} holds no model {name!r}")
        wanted.append((reference.name, reference.version or versions[-1]))
    return list(dict.fromkeys(wanted))


def _first_published(store: ModelStore, served: list[ServedModel]) -> str:
    """The oldest by its first version: a model that is published later is never the default."""

    def published_at(name: str) -> str:
        first = store.folder(name, store.versions(name)[0])
        return read_manifest(first).provenance.created_at

    return min({model.manifest.name for model in served}, key=published_at)


def _load(artifact: Artifact, sizes: EngineSizes) -> ServedModel:
    """Check, load and warm up one model.

    Raises:
        ArtifactError: A file is not what it should be.
    """
    manifest = artifact.manifest
    content = artifact.read(manifest.model_file)
    graph = check_step_graph(artifact.folder / manifest.model_file, content, manifest)
    tokenizer = Tokenizer(
        artifact.folder / manifest.tokenizer_file,
        artifact.read(manifest.tokenizer_file),
        manifest.vocabulary_size,
    )
    return ServedModel(manifest, tokenizer, EnginePool(_engines(artifact, graph, sizes)))


def _engines(artifact: Artifact, graph: onnx.ModelProto, sizes: EngineSizes) -> list[Engine]:
    """The engines of a model, which share its rows and a cache."""
    num_cores = usable_cores()
    num_engines = min(sizes.num_engines or min(num_cores, _MOST_ENGINES), sizes.max_rows)
    limits = replace(
        sizes.limits,
        max_waiting_requests=-(-sizes.limits.max_waiting_requests // num_engines),
        max_waiting_tokens=-(-sizes.limits.max_waiting_tokens // num_engines),
        event_s=sizes.limits.event_s * num_engines,  # their events share one event loop
    )
    cache = PrefixCache(sizes.prefix_cache_bytes)
    ids = artifact.manifest.special_ids
    engines = []
    for n in range(num_engines):
        decoder = BurstDecoder(
            graph,
            [tensor.name for tensor in artifact.manifest.state],
            capacity=(sizes.max_rows + n) // num_engines,
            num_threads=sizes.num_threads or max(1, num_cores // num_engines),
            end_id=ids.end,
            never_drawn=ids.never_sampled,
        )
        _warm_up(decoder, ids.start)
        engines.append(Engine(f"{artifact.ref} {n}", decoder, limits, cache))
    return engines


def _warm_up(decoder: Decoder, start_id: int) -> None:
    """Run the smallest and the largest batch, so that the first request finds all memory made."""
    row = Row.start(decoder.row_shape)
    for num_rows in (1, decoder.capacity):
        for slot in range(num_rows):
            decoder.load(slot, row, Sampling(seed=0))
        forced_KB = np.full((2, num_rows), -1, np.int64)
        forced_KB[0] = start_id
        num_steps_B = np.full(num_rows, 2)
        decoder.burst(Burst(np.arange(num_rows), forced_KB, num_steps_B, num_steps_B == 0))
