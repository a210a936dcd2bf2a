"""The client against the application itself, in this process, in both of its kinds."""

from __future__ import annotations

import base64
import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service import client as client_package
from service.app import create_app
from service.client import (
    AsyncClient,
    AsyncSession,
    AsyncStream,
    CapsuleError,
    Client,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    PlaceGone,
    Session,
    SessionChanged,
    SessionGone,
    SessionNotFound,
    Stream,
    Unauthorized,
)
from service.client.errors import UnexpectedAnswer
from service.settings import Settings
from tests.tiny_model import publish

KEYS = "k1:" + base64.b64encode(bytes(range(32))).decode()


class InProcess(httpx.BaseTransport):
    """The application as a transport; starlette's own client is on another httpx."""

    def __init__(self, app: TestClient) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on, whole."""
        answer = self._app.request(
            request.method,
            str(request.url),
            content=request.read(),
            headers=dict(request.headers),
        )
        return httpx.Response(
            answer.status_code, headers=dict(answer.headers), content=answer.content
        )


def new_app(folder: Path) -> FastAPI:
    """A server with a key for capsules."""
    publish(folder)
    return create_app(Settings(model_store=folder, max_rows=8, capsule_keys=KEYS))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that runs."""
    app = new_app(tmp_path_factory.mktemp("client") / "store")
    with TestClient(app) as inside, Client(transport=InProcess(inside)) as client:
        yield client


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """A server that does not run yet."""
    return new_app(tmp_path / "store")


@pytest.fixture
async def running(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client of a server of this loop."""
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), AsyncClient(transport=transport) as client:
        yield client


def test_a_text_is_the_same_whole_and_streamed(client: Client):
    """With all that was asked for."""
    asked: dict[str, Any] = {"max_tokens": 30, "seed": 5, "logprobs": 2, "report_unknown": True}
    whole = client.generate("Once §", **asked)
    with client.stream("Once §", **asked) as stream:
        pieces = [event.text for event in stream]

    streamed = stream.answer()
    assert whole.text == "".join(pieces) == stream.text == streamed.text
    assert whole.logprobs == streamed.logprobs
    assert whole.logprobs is not None
    assert (30, 2) == (len(whole.logprobs), len(whole.logprobs[0].top))
    assert ("tiny@1", "length", 5, None) == (
        whole.model,
        whole.finish_reason,
        whole.seed,
        whole.session,
    )
    assert ("§",) == whole.usage.unknown == streamed.usage.unknown


def test_a_text_has_a_seed_that_gives_it_again(client: Client):
    """Though none was given."""
    first = client.generate("a", max_tokens=20)

    assert first.text == client.generate("a", max_tokens=20, seed=first.seed).text
    assert first.seed != client.generate("a", max_tokens=1).seed


def test_several_texts_are_those_of_their_seeds(client: Client):
    """The best of them come first."""
    found = client.several("Once ", n=3, max_tokens=12, seed=5)
    best = client.several("Once ", n=2, best_of=4, max_tokens=12, seed=5)

    assert [0, 1, 2] == [each.index for each in found.texts]
    for each in found.texts:
        assert each.text == client.generate("Once ", max_tokens=12, seed=each.seed).text
    first, second = (each.mean_logprob for each in best.texts)
    assert first is not None
    assert second is not None
    assert first >= second


def test_a_session_is_an_object(client: Client):
    """From its beginning to its end."""
    session = client.create_session("Once ", seed=3)
    first = session.generate(max_tokens=15)
    second = session.stream(max_tokens=25).answer()
    whole = client.generate("Once ", max_tokens=40, seed=3)
    assert whole.text == first.text + second.text
    assert 2 == session.version

    again = session.regenerate(seed=9)
    assert again.text != second.text
    assert again.text == session.stream_again(seed=9).answer().text
    [fork, other] = session.fork(2, seed=8, at={"turn": 1})
    assert (session.id, 8, 9) == (fork.info.parent, fork.info.seed, other.info.seed)
    before = session.version
    assert session.rewind(turn=1).version == session.version != before
    assert session.generate(max_tokens=25).text == second.text
    fork.generate("X", max_tokens=2)
    parted = session.diff(fork)
    assert 5 + 15 == parted.position
    assert [session.id, fork.id] == [branch.id for branch in parted.branches]

    read = session.append("And then", logprobs=1)
    assert 8 == read.num_tokens == len(read.logprobs or ())
    assert read.session == session.info == session.refresh()
    texts = [turn.text for turn in session.log()]
    assert ["", first.text, second.text, ""] == texts
    moved = client.import_capsule(session.capsule())
    assert session.generate(max_tokens=9).text == moved.generate(max_tokens=9).text

    assert {session.id, fork.id, other.id, moved.id} <= {each.id for each in client.sessions()}
    assert fork.id == client.session(fork.id).id
    session.delete()
    with pytest.raises(SessionGone):
        session.generate()


def test_a_long_text_is_read_while_it_comes(client: Client, monkeypatch: pytest.MonkeyPatch):
    """In turns of the server's size; here both sides find shorter ones long."""
    monkeypatch.setattr("service.client.sessions._LONG_CHARACTERS", 2_000)
    monkeypatch.setattr("service.api.native.plain_text._PIECE_CHARACTERS", 2_500)
    read = (session := client.create_session("a")).append("Once upon a time.\n" * 200)
    assert (3_600, 2) == (read.num_characters, read.num_turns)
    assert session.version == read.session.version == 2


def test_turns_of_others_are_noticed(client: Client):
    """And accepted once that is said."""
    mine = client.create_session("a", seed=1)
    theirs = client.session(mine.id)
    theirs.generate(max_tokens=1)
    with pytest.raises(SessionChanged):
        mine.generate(max_tokens=1)
    mine.refresh()

    assert "length" == mine.generate(max_tokens=1).finish_reason
    assert 2 == mine.version


def test_a_stream_that_is_closed_leaves_the_session_as_it_was(client: Client):
    """Its version is asked for before the next turn."""
    session = client.create_session("a", seed=1)
    stream = session.stream(max_tokens=9)
    stream.close()

    assert 0 == session.version
    assert 9 == session.stream(max_tokens=9).answer().usage.completion_tokens


@pytest.mark.parametrize(
    ("ask", "kind", "param"),
    [
        (lambda c: c.generate("a", top_p=3), InvalidRequest, "top_p"),
        (lambda c: c.generate("a", bogus=3), InvalidRequest, "bogus"),
        (lambda c: list(c.stream("a", model="x")), ModelNotFound, "model"),
        (lambda c: c.model("x/y"), NotFound, None),
        (lambda c: c.session("none"), SessionNotFound, "session"),
        (lambda c: c.import_capsule("x"), CapsuleError, "capsule"),
        (lambda c: c.create_session("a").rewind(turn=7), PlaceGone, None),
        (lambda c: c.create_session("a").rewind(), InvalidRequest, "to"),
    ],
    ids=range(8),
)
def test_refusals_say_what_is_wrong(client: Client, ask, kind, param: str | None):
    """The field too; with the id that the server's log has."""
    with pytest.raises(kind) as caught:
        ask(client)

    assert param is None or param == caught.value.param
    assert caught.value.request_id


def test_what_is_served_is_told(client: Client):
    """Models, a manifest, health."""
    [model] = client.models().models
    assert ("tiny@1", "tiny") == (model.id, client.model("tiny@1")["name"])
    capacity = client.capacity()
    assert capacity.models["tiny@1"].rows.free > 0 == capacity.result_bytes.used
    with pytest.raises(Unauthorized):  # of a server without keys, nobody is the administrator
        client.reload()
    health = client.health()
    assert (True, "ok", ["tiny@1"]) == (health.is_ready, health.status, list(health.models))


def test_who_is_no_server_is_told():
    """Whatever it says."""
    for content in (b"<html>", b"[]", b"{}", b'{"models": 3}'):
        answer = httpx.Response(200, content=content)
        client = Client(transport=httpx.MockTransport(lambda _, answer=answer: answer))
        with pytest.raises(UnexpectedAnswer):
            client.models()


async def test_all_of_it_with_await(running: AsyncClient):
    """The same texts."""
    whole = await running.generate("Once ", max_tokens=40, seed=3)
    async with running.stream("Once ", max_tokens=40, seed=3) as stream:
        assert whole.text == "".join([event.text async for event in stream])
    session = await running.create_session("Once ", seed=3)
    first = await session.generate(max_tokens=15)
    second = await session.stream(max_tokens=25).answer()
    assert whole.text == first.text + second.text
    assert (await session.regenerate(seed=9)).text
    assert (await session.stream_again(seed=9).answer()).text
    [fork] = await session.fork(at={"turn": 1})
    await session.rewind(turn=1)
    assert second.text == (await session.generate(max_tokens=25)).text
    assert 20 == (await session.diff(fork)).position or (await session.diff(fork.id)).position
    assert 3 == (await session.append("abc")).num_tokens
    assert ["", first.text, second.text, ""] == [turn.text async for turn in session.log()]
    moved = await running.import_capsule(await session.capsule())
    assert moved.id in [each.id async for each in running.sessions()]
    assert (await running.session(moved.id)).version == moved.version
    await moved.delete()
    with pytest.raises(SessionGone):
        await moved.refresh()
    assert ["tiny@1"] == [model.id for model in (await running.models()).models]
    assert "tiny" == (await running.model("tiny"))["name"]
    assert (await running.health()).is_ready
    assert (await running.capacity()).sessions.free > 0
    with pytest.raises(Unauthorized):
        await running.reload()
    stream = running.stream("a", max_tokens=500)
    assert (await anext(stream)).text
    await stream.close()


@pytest.mark.parametrize(
    ("plain", "awaited"), [(Client, AsyncClient), (Session, AsyncSession), (Stream, AsyncStream)]
)
def test_both_kinds_can_do_the_same(plain: type, awaited: type):
    """By the same names, with the same arguments."""

    def public(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(each).parameters)
            for name, each in found
            if not name.startswith("_") or name == "__init__"
        }

    assert public(plain) == public(awaited)


def test_it_is_small_and_imports_nothing_of_the_server():
    """So that it can be a package of its own."""
    folder = Path(client_package.__file__).parent
    for file in folder.glob("*.py"):
        assert "from service" not in file.read_text("utf-8").replace('"""', "")
