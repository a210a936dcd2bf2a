"""LangChain's class for completions of OpenAI."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.running_server import PLAIN, RunningServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it says of its own parts while it is imported
    pytest.importorskip("langchain_openai", reason="needs the extra [clients]")
import langchain_openai as langchain
import openai

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def _reports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what the machine is told of other servers, nor where it would trace to."""
    for name in ("OPENAI_API_BASE", "OPENAI_PROXY", "LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.delenv(name, raising=False)


def _llm(server: RunningServer, **clients: Any) -> langchain.OpenAI:
    """As its documentation says, with another base URL; by itself it closes no connection."""
    return langchain.OpenAI(
        base_url=f"{server.url}/v1",
        api_key="unused",
        model="tiny",
        max_tokens=40,
        seed=5,
        temperature=1,
        **clients,
    )


@pytest.fixture
def llm(server: RunningServer) -> Iterator[langchain.OpenAI]:
    """With a client that is closed in the end."""
    with openai.DefaultHttpxClient() as client:
        yield _llm(server, http_client=client)


@pytest.fixture
def text(server: RunningServer) -> str:
    """What our own route writes."""
    body = {"prompt": "Once ", "max_tokens": 40, "seed": 5}
    return httpx.post(f"{server.url}/generate", json=body, timeout=60, verify=PLAIN).json()["text"]


def test_it_writes_whole_texts_and_streams(llm, text: str):
    """One, and several in one request."""
    assert text == llm.invoke("Once ")
    assert text == "".join(llm.stream("Once "))
    assert [text, text] == llm.batch(["Once ", "Once "])
    generations = llm.generate(["Once ", "Two"]).generations
    assert text == generations[0][0].text
    assert "length" == generations[0][0].generation_info["finish_reason"]


async def test_it_writes_asynchronously(server: RunningServer, text: str):
    """Both ways."""
    async with openai.DefaultAsyncHttpxClient() as client:
        llm = _llm(server, http_async_client=client)

        assert text == await llm.ainvoke("Once ")
        assert text == "".join([part async for part in llm.astream("Once ")])


def test_a_stop_string_ends_the_text(llm, text: str):
    """It is bound to the call."""
    assert text[: text.index(text[9])] == llm.invoke("Once ", stop=[text[9]])
