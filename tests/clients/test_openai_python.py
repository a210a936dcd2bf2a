"""The official Python client of OpenAI, unmodified."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.clients.conftest import num_rows
from tests.e2e.running_server import PLAIN, RunningServer
from tests.waiting import wait_for

pytest.importorskip("openai", reason="needs the extra [clients]")
import openai

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
PROMPT = "Once "


@pytest.fixture
def client(server: RunningServer) -> Iterator[openai.OpenAI]:
    """As its documentation says, with another base URL."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", timeout=60) as client:
        yield client


@pytest.fixture
async def aclient(server: RunningServer) -> AsyncIterator[openai.AsyncOpenAI]:
    """The asynchronous one."""
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key="unused", timeout=60
    ) as client:
        yield client


@pytest.fixture
def text(server: RunningServer) -> str:
    """What our own route writes."""
    body = {"prompt": PROMPT, "max_tokens": 40, "seed": 5}
    return httpx.post(f"{server.url}/generate", json=body, timeout=60, verify=PLAIN).json()["text"]


def test_whole_texts(client: openai.OpenAI, text: str):
    """The answer is parsed into its types."""
    answer = client.completions.create(model="tiny", prompt=PROMPT, max_tokens=40, seed=5)

    assert ("text_completion", text) == (answer.object, answer.choices[0].text)
    assert "length" == answer.choices[0].finish_reason
    assert answer.usage is not None
    assert (5, 40, 45) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        answer.usage.total_tokens,
    )
    assert answer._request_id


def test_streams(client: openai.OpenAI, text: str):
    """Chunk by chunk, with the usage at the end."""
    stream = client.completions.create(
        model="tiny",
        prompt=PROMPT,
        max_tokens=40,
        seed=5,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    assert text == "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert chunks[-1].usage is not None
    assert 40 == chunks[-1].usage.completion_tokens


def test_several_texts_with_probabilities(client: openai.OpenAI):
    """`n`, lists of prompts, `echo` and `logprobs`, and vLLM's options in `extra_body`."""
    answer = client.completions.create(
        model="tiny@1",
        prompt=[PROMPT, "Two"],
        n=2,
        max_tokens=5,
        echo=True,
        logprobs=3,
        seed=5,
        extra_body={"top_k": 4, "return_token_ids": True},
    )

    assert [0, 1, 2, 3] == [choice.index for choice in answer.choices]
    for choice in answer.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.tokens is not None
        assert choice.logprobs.token_logprobs is not None
        assert choice.text == "".join(choice.logprobs.tokens)
        assert None is choice.logprobs.token_logprobs[0]
        assert choice.model_extra is not None
        assert 5 == len(choice.model_extra["token_ids"])


async def test_the_asynchronous_client(aclient: openai.AsyncOpenAI, text: str):
    """Whole and streamed, eight at the same time."""
    asked: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "max_tokens": 40, "seed": 5}

    async def streamed() -> str:
        stream = await aclient.completions.create(**asked, stream=True)
        return "".join([chunk.choices[0].text async for chunk in stream])

    whole = aclient.completions.create(**asked)
    answer, *texts = await asyncio.gather(whole, *(streamed() for _ in range(7)))

    assert [text] * 8 == [answer.choices[0].text, *texts]


async def test_a_client_that_cancels(aclient: openai.AsyncOpenAI, server: RunningServer):
    """A task that is cancelled, and a stream that is closed: their rows are free (see conftest)."""
    asked: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "max_tokens": 16_384}
    task = asyncio.ensure_future(aclient.completions.create(**asked, n=4))
    writes = partial(wait_for, lambda: num_rows(server) > 0, "rows that are written")
    await asyncio.to_thread(writes, timeout_s=60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stream = await aclient.completions.create(**asked, stream=True)
    async for _ in stream:
        break
    await stream.close()


def test_the_models(client: openai.OpenAI):
    """Listed and looked at; the default one first."""
    assert ["tiny@1", "ending@1"] == [model.id for model in client.models.list()]
    assert "ending" == client.models.retrieve("ending").id


@pytest.mark.parametrize(
    ("options", "error", "param"),
    [
        ({"prompt": PROMPT, "max_tokens": 0}, openai.BadRequestError, "max_tokens"),
        ({"prompt": PROMPT, "suffix": "end"}, openai.BadRequestError, "suffix"),
        ({"prompt": PROMPT, "logit_bias": {"99999": 1}}, openai.BadRequestError, "logit_bias"),
        ({"prompt": PROMPT, "model": "gpt-4"}, openai.NotFoundError, "model"),
    ],
)
def test_errors_are_its_classes(
    client: openai.OpenAI, options: dict, error: type[openai.APIStatusError], param: str
):
    """With the field at fault, and the request's id."""
    with pytest.raises(error) as caught:
        client.completions.create(**{"model": "tiny", **options})

    assert (param, "invalid_request_error") == (caught.value.param, caught.value.type)
    assert caught.value.request_id


def test_an_unknown_route_is_its_class_too(client: openai.OpenAI):
    """Nobody embeds here."""
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="tiny", input="x")


def test_its_time_out(client: openai.OpenAI):
    """It gives up, and the server stops writing."""
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.05, max_retries=0).completions.create(
            model="tiny", prompt=PROMPT, max_tokens=16_384, n=8
        )


def test_it_tries_again_by_itself(server: RunningServer):
    """After 429 and 503 as the server has told it; the third request is answered."""
    with _Refusing(server, [(429, {"retry-after-ms": "1"}), (503, {"retry-after-ms": "1"})]) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=2)
        answer = client.completions.create(model="tiny", prompt=PROMPT, max_tokens=3)

    assert 3 == len(answer.choices[0].text)


def test_it_does_not_try_again_what_would_fail_again(server: RunningServer):
    """`x-should-retry` says so."""
    with _Refusing(server, [(504, {"x-should-retry": "false"})]) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=2)
        with pytest.raises(openai.InternalServerError):
            client.completions.create(model="tiny", prompt=PROMPT, max_tokens=3)


class _Refusing:
    """A proxy before the server that answers the first requests itself."""

    def __init__(self, server: RunningServer, refusals: list[tuple[int, dict[str, str]]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                if refusals:
                    status, headers = refusals.pop(0)
                    body = json.dumps({"error": {"message": "not now", "type": "server_error"}})
                    answer = body.encode()
                else:
                    found = httpx.post(
                        server.url + self.path,
                        content=content,
                        headers={"content-type": "application/json"},
                        timeout=60,
                        verify=PLAIN,
                    )
                    status, headers, answer = found.status_code, {}, found.content
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
