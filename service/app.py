"""The one place where the parts are put together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import onnx
from fastapi import FastAPI

from service import __version__
from service.api.errors import add_error_handlers, responses
from service.api.middleware import BodyLimit, RequestLog
from service.api.native import generate, health, models, sessions
from service.api.state import ServiceState
from service.artifacts.errors import ArtifactError
from service.artifacts.graph import check_step_graph
from service.artifacts.store import Artifact, ModelStore, read_manifest
from service.artifacts.tokenizer import Tokenizer
from service.engine.limits import EngineLimits
from service.engine.pool import EnginePool
from service.engine.rows.prefix_cache import PrefixCache
from service.engine.worker import Engine
from service.inference.start import GenerationLimits, Generator
from service.models.errors import ModelUnknown
from service.models.registry import ModelRegistry, ServedModel
from service.rows.row import Row
from service.runtime.burst import BurstDecoder
from service.runtime.cores import usable_cores
from service.runtime.decoder import Burst, Decoder
from service.runtime.sampling import Sampling
from service.sessions.memory import MemorySessionStore, SessionLimits
from service.settings import Settings

_log = logging.getLogger(__name__)
_MOST_ENGINES = 4
_EVENT_S = 0.0003


class CannotServe(Exception):
    """There is nothing to serve, or not what the settings name; the message says why."""


def create_app(settings: Settings) -> FastAPI:
    """The application, with every model verified, loaded and warmed up.

    Raises:
        CannotServe: There is no model, none that is whole, or not the one that was named.
    """
    registry = _load_models(settings)
    generator = Generator(
        registry,
        MemorySessionStore(
            SessionLimits(
                idle_ttl_s=settings.session_idle_ttl_s,
                max_age_s=settings.session_max_age_s,
                max_sessions=settings.max_sessions,
                max_bytes=settings.max_session_bytes,
            )
        ),
        GenerationLimits(
            default_max_tokens=settings.default_max_tokens,
            max_tokens=settings.max_tokens,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_timeout_s=settings.max_timeout_s,
        ),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        for model in registry:
            model.engine.start()
        yield
        for model in registry:
            await model.engine.stop()

    app = FastAPI(
        title="lstm-serve",
        version=__version__,
        summary="Text from recurrent language models: streamed, batched, with sessions.",
        lifespan=lifespan,
        # In place of FastAPI's own shape, which this server never sends.
        responses=responses(422, 500),
    )
    app.state.service = ServiceState(
        generator=generator,
        heartbeat_timeout_s=settings.heartbeat_timeout_s,
        write_timeout_s=settings.write_timeout_s,
    )
    for resource in (generate, sessions, models, health):
        app.include_router(resource.router)
    add_error_handlers(app)
    app.add_middleware(
        BodyLimit, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s
    )
    app.add_middleware(RequestLog)
    return app


def _load_models(settings: Settings) -> ModelRegistry:
    store = ModelStore(settings.model_store)
    served: list[ServedModel] = []
    broken: dict[str, str] = {}
    for name, version in _wanted(store, settings.models):
        try:
            served.append(_load(store.verify(name, version), settings))
        except ArtifactError as error:
            _log.error("%s@%d cannot be served: %s", name, version, error)
            broken[f"{name}@{version}"] = str(error)
    if not served:
        reasons = "; ".join(broken.values()) or f"{store.root} holds no models"
        raise CannotServe(reasons)
    try:
        return ModelRegistry(served, _default(store, served, settings), broken)
    except (ModelUnknown, ArtifactError) as error:
        raise CannotServe(f"default_model: {error}") from error


def _default(store: ModelStore, served: list[ServedModel], settings: Settings) -> str:
    """What requests get that name no model: as set, or the first that is set, or the oldest.

    The oldest by its first version: a model that is published later never becomes the default.
    """
    if settings.default_model:
        return settings.default_model
    if settings.models:
        return served[0].ref

    def first_published(name: str) -> str:
        first = store.folder(name, store.versions(name)[0])
        return read_manifest(first).provenance.created_at

    return min({model.manifest.name for model in served}, key=first_published)


def _wanted(store: ModelStore, names: tuple[str, ...]) -> list[tuple[str, int]]:
    """The versions to load: of every name the newest, unless the settings say which."""
    wanted = []
    for name in names or store.names():
        plain, _, version = name.partition("@")
        versions = store.versions(plain)
        if not versions or (version and not version.isdecimal()):
            raise CannotServe(f"{store.root} holds no model {name!r}")
        wanted.append((plain, int(version) if version else versions[-1]))
    return wanted


def _load(artifact: Artifact, settings: Settings) -> ServedModel:
    """Check, load and warm up one model.

    Raises:
        ArtifactError: A file is not what it should be.
    """
    manifest = artifact.manifest
    content = artifact.read(manifest.model_file)
    model = check_step_graph(artifact.folder / manifest.model_file, content, manifest)
    tokenizer_path = artifact.folder / manifest.tokenizer_file
    tokenizer = Tokenizer(
        tokenizer_path, artifact.read(manifest.tokenizer_file), manifest.vocabulary_size
    )
    engines = _engines(artifact, model, settings)
    return ServedModel(manifest, tokenizer, EnginePool(engines))


def _engines(artifact: Artifact, model: onnx.ModelProto, settings: Settings) -> list[Engine]:
    """The engines of a model, which share its rows and a cache."""
    num_cores = usable_cores()
    num_engines = min(settings.num_engines or min(num_cores, _MOST_ENGINES), settings.max_rows)
    limits = EngineLimits(
        max_waiting_requests=-(-settings.max_waiting_requests // num_engines),
        max_waiting_tokens=-(-settings.max_waiting_tokens // num_engines),
        max_unread_tokens=settings.max_unread_tokens,
        target_burst_s=settings.target_burst_ms / 1000,
        max_burst_steps=settings.max_burst_steps,
        event_s=_EVENT_S * num_engines,  # their events share one event loop
    )
    cache = PrefixCache(settings.prefix_cache_bytes)
    ids = artifact.manifest.special_ids
    engines = []
    for n in range(num_engines):
        decoder = BurstDecoder(
            model,
            [tensor.name for tensor in artifact.manifest.state],
            capacity=(settings.max_rows + n) // num_engines,
            num_threads=settings.num_threads or max(1, num_cores // num_engines),
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
