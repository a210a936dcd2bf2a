"""Texts of the use cases, without HTTP."""

import dataclasses
from pathlib import Path

import numpy as np

from service.artifacts.store import ModelStore
from service.inference.request import TextRequest
from service.models.live import LiveModels
from service.models.loader import ModelLoader
from service.models.loading import EngineSizes
from service.models.registry import ModelRegistry
from service.runtime.sampling import SamplingOptions
from service.sessions.session import SessionKey
from tests.service.limits import engine_limits


async def generate(inference, prompt="", max_tokens=20, **options):
    """The whole text of a request with seed 7, as one delta."""
    sampled = {name: options.pop(name) for name in {*SamplingOptions.model_fields} & {*options}}
    running = await inference.start(
        TextRequest(prompt, max_tokens, SamplingOptions(**sampled), seed=7, **options)
    )
    try:
        return await running.collect()
    finally:
        await running.close()


async def row_of(inference, session):
    """The row that a session goes on from."""
    lease = await inference.sessions.begin(SessionKey("", session.id), lease_s=9)
    await inference.sessions.release(lease)
    return inference.models.resolve(session.model).row_of(lease)


def bits(row):
    """A row as what can be compared."""
    return tuple(
        np.asarray(getattr(row, field.name)).tobytes() for field in dataclasses.fields(row)
    )


def live_models(registry: ModelRegistry, store: Path) -> LiveModels:
    """These models, of a store from which others are loaded."""
    sizes = EngineSizes(2, 1, 1, 0, engine_limits())
    return LiveModels(ModelLoader(ModelStore(store), (), None, sizes), registry)
