"""A text straight from the model store, by the same parts as the server's, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.artifacts.errors import ArtifactError
from service.artifacts.store import ModelStore
from service.client import ClientError, Event, Generation, InvalidRequest, Usage
from service.client.reading import Reading
from service.engine.errors import EngineError
from service.inference.delta import Delta
from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.inference.running import RunningText
from service.inference.start import Inference
from service.limits import engine_limits, request_limits, session_limits
from service.models.errors import CannotServe, ModelBroken, ModelUnknown
from service.models.live import LiveModels
from service.models.loader import ModelLoader
from service.models.loading import EngineSizes
from service.models.wanted import first_published
from service.runtime.sampling import SamplingOptions
from service.sessions.places import open_store
from service.settings import Settings, StoreSettings

_REFUSALS = (
    ArtifactError,
    CannotServe,
    EngineError,
    ModelBroken,
    ModelUnknown,
)


def store_of(given: Path | None) -> Path:
    """The folder of the models: that one, or the settings'."""
    return StoreSettings().model_store if given is None else given


class LocalStream:
    """Events of a text that is written here; as the client's `Stream`."""

    def __init__(self, runner: asyncio.Runner, running: RunningText) -> None:
        self._runner = runner
        self._running = running
        self._reading = Reading()
        self._deltas = running.deltas()

    def __iter__(self) -> Iterator[Event]:
        while self._reading.last is None:
            delta = self._runner.run(_next(self._deltas))
            event = self._event(delta)
            self._reading.take(event)
            yield event

    def answer(self) -> Generation:
        """The whole text; what has not come yet is waited for."""
        for _ in self:
            pass
        return self._reading.answer()

    def _event(self, delta: Delta) -> Event:
        if delta.finish_reason is None:
            return Event(delta.text, delta.num_tokens)
        usage = self._running.usage
        return Event(
            delta.text,
            delta.num_tokens,
            finish_reason=delta.finish_reason,
            id=self._running.id,
            model=self._running.model.ref,
            seed=self._running.seed,
            usage=Usage(
                usage.prompt_tokens,
                usage.cached_tokens,
                usage.completion_tokens,
                usage.unknown_tokens,
                usage.unknown,
            ),
        )


@contextmanager
def local_stream(store: Path, prompt: str, options: dict[str, Any]) -> Iterator[LocalStream]:
    """A text of a model of the store; the model is loaded, and let go of in the end.

    Args:
        store: Of the models.
        prompt: To go on from.
        options: Fields of `POST /generate`.

    Raises:
        ClientError: It cannot be written; the message says why.
    """
    try:
        live = _live(store, options.get("model"))
        settings = Settings(model_store=store)
        with asyncio.Runner() as runner:
            sessions = open_store("memory://", session_limits(settings))
            inference = Inference(live, sessions, request_limits(settings))
            try:
                running = runner.run(_start(inference, _asked(prompt, options)))
                try:
                    yield LocalStream(runner, running)
                finally:
                    runner.run(running.close())
            finally:
                runner.run(live.stop())
    except InvalidOption as error:
        raise InvalidRequest(422, "invalid_request", str(error), param=error.param) from error
    except _REFUSALS as error:
        raise ClientError(str(error)) from error


def _live(store: Path, name: str | None) -> LiveModels:
    """With that model only, or the one that a server would answer with."""
    settings = Settings(model_store=store)
    if name is None:
        name = settings.default_model or next(iter(settings.models), None)
    if name is None:
        if not ModelStore(store).names():
            raise CannotServe(f"{store} holds no models")
        name = first_published(ModelStore(store))
    sizes = EngineSizes(
        max_rows=1,
        num_lanes=1,
        num_threads=None,
        prefix_cache_bytes=0,
        limits=engine_limits(settings),
    )
    loader = ModelLoader(ModelStore(store), (name,), name, sizes)
    return LiveModels(loader, loader.load())


def _asked(prompt: str, options: dict[str, Any]) -> TextRequest:
    sampling = {name: options.get(name) for name in SamplingOptions.model_fields}
    return TextRequest(
        prompt=prompt,
        report_unknown=True,
        max_tokens=options.get("max_tokens"),
        options=SamplingOptions(**sampling),
        seed=options.get("seed"),
        stop=tuple(options.get("stop", ())),
        is_streamed=True,
    )


async def _start(inference: Inference, asked: TextRequest) -> RunningText:
    inference.live.start()
    running = await inference.start(asked)
    if not isinstance(running, RunningText):
        raise TypeError(f"a text of no session is written, and this is a {type(running).__name__}")
    return running


async def _next(deltas: AsyncIterator[Delta]) -> Delta:
    return await anext(deltas)
