"""Texts of the use cases, without HTTP."""

import dataclasses

import numpy as np

from service.inference.request import TextRequest
from service.runtime.sampling import SamplingOptions
from service.sessions.session import SessionKey


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
