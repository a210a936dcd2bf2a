"""A turn that ends at a stop string: it was shown to its end, so it commits, whatever happens."""

import asyncio

import numpy as np
import pytest

from service.artifacts.store import ModelStore
from service.artifacts.tokenizer import Tokenizer
from service.engine.errors import Overloaded
from service.engine.request import Chunk
from service.engine.worker import Engine
from service.inference.request import TextRequest
from service.inference.start import Inference
from service.models.inside import Inside
from service.models.registry import ModelRegistry, ServedModel
from service.runtime.step import StepGraph
from service.sessions.session import SessionKey
from service.sessions.sqlite.store import SqliteSessionStore
from tests import tiny_model
from tests.service.engine.engines import GatedDecoder, until
from tests.service.inference.texts import live_models
from tests.service.limits import engine_limits, request_limits, session_limits


@pytest.fixture
def served(tmp_path):
    """A model with one row and room for one more request; its bursts wait for permits."""
    folder = tiny_model.publish(tmp_path, "tiny")
    artifact = ModelStore(tmp_path).verify("tiny", 1)
    step = StepGraph(artifact.read("model.onnx"))
    decoder = GatedDecoder(1, step, never_drawn=[tiny_model.VOCABULARY_SIZE - 1])
    content = artifact.read("tokenizer.json")
    tokenizer = Tokenizer(folder / "tokenizer.json", content, tiny_model.VOCABULARY_SIZE)
    limits = engine_limits(max_waiting_requests=1, target_burst_s=0)
    engine = Engine("tiny", [decoder], limits)
    return ServedModel(artifact.manifest, tokenizer, engine, Inside(artifact))


@pytest.fixture
def decoder(served):
    """The model's only decoder."""
    return served.engine._rows.lanes[0]._decoder


@pytest.fixture
async def inference(served, decoder, tmp_path):
    """The use cases, with the engine running."""
    served.engine.start()
    yield Inference(
        live_models(ModelRegistry([served], "tiny", {}), tmp_path),
        await asyncio.to_thread(SqliteSessionStore, None, session_limits()),
        request_limits(max_tokens=500, max_prompt_tokens=50, max_timeout_s=60),
    )
    decoder.open()
    await served.engine.stop()


@pytest.mark.parametrize("trouble", ["a full inbox", "draining", "no time left"])
async def test_a_turn_that_was_shown_to_its_stop_string_commits(
    inference, served, decoder, trouble
):
    """The engine goes back for it without asking at the door again."""
    decoder.open()
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    whole = await inference.start(TextRequest("Ro", 60, seed=7))
    text = (await whole.collect()).text
    stop = text[40:43]

    decoder.shut()
    running = await inference.start(
        TextRequest("", 60, seed=7, stop=(stop,), session=session.id, timeout_s=60)
    )
    shown = asyncio.create_task(running.collect())
    await decoder.entered()
    for _ in range(text.index(stop) + len(stop) - 1):
        await decoder.step()
    if trouble == "a full inbox":
        other = await inference.start(TextRequest("Ro", 5))
        with pytest.raises(Overloaded):
            await inference.start(TextRequest("Ro", 5))
    elif trouble == "draining":
        served.engine.drain()
    await decoder.step()  # the last token of the stop string
    if trouble == "no time left":
        await until(lambda: running._stream._ended)
        assert running._stream._timer.cancelled()
    decoder.open()
    delta = await shown

    assert ("stop", text[: text.index(stop)]) == (delta.finish_reason, delta.text)
    after = await inference.sessions.get(SessionKey("", session.id))
    assert session.num_tokens + text.index(stop) == after.num_tokens
    if trouble == "a full inbox":
        assert 5 == (await other.collect()).num_tokens


async def test_little_is_read_again_and_few_rows_are_held(inference, decoder):
    """To go back costs a burst, and what a slow reader holds is a row for each 32 tokens."""
    decoder.open()
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    running = await inference.start(
        TextRequest("", 400, seed=7, stop=("\x00",), session=session.id)
    )
    rows, num_tokens = [], 0
    while isinstance(event := await running._stream.next(), Chunk):
        rows += [] if event.row_before is None else [event.row_before]
        num_tokens += len(event.token_N)
    await running.close()

    places = np.array([row.num_tokens for row in rows]) - session.num_tokens
    assert (400, 32) == (num_tokens, places[0])
    assert {32} == {*np.diff(places).tolist()}


async def test_a_turn_that_cannot_be_committed_leaves_the_session_free(
    inference, decoder, monkeypatch
):
    """The store fails once: the text fails, and the next turn works."""
    decoder.open()
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)

    async def fail(*_, **__):
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(inference.sessions, "commit", fail)
        running = await inference.start(TextRequest("", 5, session=session.id))
        with pytest.raises(OSError, match="full"):
            await running.collect()
        await running.close()
    assert 0 == inference.accounts.num_unfinished

    running = await inference.start(TextRequest("", 5, session=session.id))
    await running.collect()
    after = await inference.sessions.get(SessionKey("", session.id))
    assert session.num_tokens + 5 == after.num_tokens
