"""Texts of the use cases, without HTTP."""

import asyncio
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


def ends_of_submissions(monkeypatch, model, slow_s=0.0):
    """When the time of each request that is handed to the model's engine will be over, in turn.

    Each of their events comes so much later.
    """
    ends: list[float] = []
    submit_all = model.engine.submit_all

    def noting(requests):
        now_s = asyncio.get_running_loop().time()
        ends.extend(now_s + request.timeout_s for request in requests)
        streams = submit_all(requests)
        for stream in streams:
            monkeypatch.setattr(stream, "next", slowly(stream.next))
        return streams

    def slowly(read):
        async def read_later():
            await asyncio.sleep(slow_s)
            return await read()

        return read_later

    monkeypatch.setattr(model.engine, "submit_all", noting)
    return ends


def live_models(registry: ModelRegistry, store: Path) -> LiveModels:
    """These models, of a store from which others are loaded."""
    sizes = EngineSizes(2, 1, 1, 0, engine_limits())
    return LiveModels(ModelLoader(ModelStore(store), (), None, sizes), registry)
