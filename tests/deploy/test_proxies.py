"""nginx and Caddy before the server, each with the configuration of deploy/ and a real program."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.proxies import Proxy, free_port
from tests.deploy.upstream import PATIENCE_S, Exchange, Upstream, upstream
from tests.e2e.running_server import PLAIN, RunningServer, read_stream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

REQUEST = {"prompt": "Hello", "max_tokens": 200, "seed": 7}


def test_a_text_and_its_events_are_those_of_the_server(gateway: str, server: RunningServer):
    """Nothing is lost, added or changed on the way."""
    with (
        server.client() as direct,
        httpx.Client(base_url=gateway, timeout=60, verify=PLAIN) as client,
    ):
        expected = direct.post("/generate", json=REQUEST).json()
        whole = client.post("/generate", json=REQUEST).json()
        events = read_stream(client, REQUEST)

    assert expected["text"] == whole["text"] == "".join(event["text"] for event in events)
    assert expected["finish_reason"] == events[-1]["finish_reason"]


def test_metrics_are_not_for_strangers(gateway: str, server: RunningServer):
    """However they write it; who asks the server itself gets them."""
    with (
        server.client() as direct,
        httpx.Client(base_url=gateway, timeout=60, verify=PLAIN) as client,
    ):
        answers = [client.get(gateway + path) for path in ("/metrics", "/%6Detrics", "//metrics")]
        expected = direct.get("/no/such/route").json()
        assert "lstm_serve_build_info" in direct.get("/metrics").text

    assert [404] * 3 == [each.status_code for each in answers]
    assert expected == answers[0].json()


@pytest.mark.parametrize("piece", [b'data: {"text":"a"}\n\n', b": waiting\n\n"])
def test_an_event_arrives_before_the_next_one_is_made(
    one: tuple[httpx.Client, Upstream], piece: bytes
):
    """So does the comment that keeps a silent stream open."""
    client, behind = one

    def answer(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.send(piece)
        behind.wait()
        exchange.send(b"data: [DONE]\n\n")
        exchange.send(b"")

    behind.answer = answer
    with client.stream("GET", "/events") as response:
        arriving = response.iter_raw()
        first = b""
        while len(first) < len(piece):
            first += next(arriving)
        assert not behind.go_on.is_set()
        behind.go_on.set()
        rest = b"".join(arriving)

    assert (piece, b"data: [DONE]\n\n") == (first, rest)


@pytest.mark.parametrize("status", [200, 401, 404, 409, 413, 429, 500, 502, 503, 504])
def test_what_the_server_says_is_passed_on(one: tuple[httpx.Client, Upstream], status: int):
    """Status, body and Retry-After, and only once."""
    client, behind = one
    body = b'{"error":{"code":"of the server","message":"m","param":null}}'
    behind.answer = lambda exchange: exchange.say(status, body, Retry_After="7", X_Request_Id="r1")
    answers = [client.get("/models"), client.post("/generate", content=b"{}")]

    assert [(status, body, "7", "r1")] * 2 == [
        (each.status_code, each.content, each.headers["Retry-After"], each.headers["X-Request-Id"])
        for each in answers
    ]
    assert ["GET", "POST"] == [method for method, _, _ in behind.seen]


def test_what_a_client_claims_about_itself_goes_no_further(one: tuple[httpx.Client, Upstream]):
    """Its address and its scheme."""
    client, behind = one
    behind.answer = lambda exchange: exchange.say(200)
    forged = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "Connection": "close"}
    headers = {**forged, "Host": "text.example.org"}
    client.get("/models", headers=headers)
    [(_, _, headers)] = behind.seen

    assert ("127.0.0.1", "http") == (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"])
    assert "text.example.org" == headers["Host"]


def test_connections_to_a_server_stay_open(one: tuple[httpx.Client, Upstream]):
    """Also when a client says that its own is to be closed."""
    client, behind = one
    behind.answer = lambda exchange: exchange.say(200)
    for _ in range(3):
        client.get("/models")
    assert (3, 1) == (len(behind.seen), len(behind.peers))
    client.get("/models", headers={"Connection": "close"})

    assert "Connection" not in behind.seen[-1][2]


def test_a_server_that_is_away_is_not_noticed(gateway: str):
    """Half of the requests meet it first; those that could not be sent are sent to another one."""
    with httpx.Client(base_url=gateway, timeout=60, verify=PLAIN) as client:
        gets = [client.get("/models").status_code for _ in range(20)]
        posts = [client.post("/generate", json=REQUEST).status_code for _ in range(20)]

    assert [200] * 40 == gets + posts


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "turn-1"}])
def test_a_turn_that_may_have_begun_is_the_clients_to_repeat(
    proxy: Proxy, tmp_path: Path, headers: dict[str, str]
):
    """Two servers hang up on whatever they are asked: a POST is asked once, a GET of both."""

    def hang_up(exchange: Exchange) -> None:
        exchange.body()
        exchange.hang_up()

    with upstream(hang_up) as first, upstream(hang_up) as second:
        with proxy(tmp_path, first.port, second.port) as url:
            post = httpx.post(
                f"{url}/generate", json=REQUEST, headers=headers, timeout=60, verify=PLAIN
            )
        methods = [method for method, _, _ in first.seen + second.seen]
        with proxy(tmp_path, first.port, second.port) as url:
            get = httpx.get(f"{url}/models", timeout=60, verify=PLAIN)

        assert ["POST"] == methods
        for each in (first, second):
            assert "GET" in {method for method, _, _ in each.seen}
    for answer in (post, get):
        assert answer.status_code in {502, 503}
        assert "1" == answer.headers["Retry-After"]
        assert "no_replica" == answer.json()["error"]["code"]
        assert {"code", "message", "param"} == set(answer.json()["error"])


@pytest.mark.parametrize("path", ["/generate", "/sessions/s_1/append"])
def test_where_no_replica_is_clients_are_told_when_to_ask_again(
    proxy: Proxy, tmp_path: Path, path: str
):
    """In the shape of all errors."""
    with proxy(tmp_path, free_port(), free_port()) as url:
        answer = httpx.post(f"{url}{path}", json=REQUEST, timeout=60, verify=PLAIN)

    assert answer.status_code in {502, 503}
    assert "1" == answer.headers["Retry-After"]
    assert "no_replica" == answer.json()["error"]["code"]


def test_a_client_that_leaves_is_noticed_by_the_server(one: tuple[httpx.Client, Upstream]):
    """So a text that nobody reads is not written to its end."""
    client, behind = one
    gone = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.begin_stream()
        try:
            while not gone.wait(0.01):
                exchange.send(b": waiting\n\n")
        except OSError:
            gone.set()
            exchange.hang_up()

    behind.answer = answer
    with client.stream("GET", "/events") as response:
        next(response.iter_raw())
        assert not gone.is_set()

    assert gone.wait(PATIENCE_S)


def test_a_body_that_is_too_large_is_refused_in_the_same_shape(gateway: str):
    """By nginx before a replica has to read it; Caddy leaves it to the replica."""
    content, headers = b" " * ((1 << 20) + 1), {"Content-Type": "application/json"}
    answer = httpx.post(
        f"{gateway}/generate", content=content, headers=headers, timeout=60, verify=PLAIN
    )

    assert (413, "body_too_large") == (answer.status_code, answer.json()["error"]["code"])
    assert httpx.get(f"{gateway}/models", timeout=60, verify=PLAIN).is_success


def test_a_text_of_any_length_is_read_while_it_comes(one: tuple[httpx.Client, Upstream]):
    """The first megabytes are at the server before the client has sent the last ones."""
    client, behind = one
    piece = b"x" * (1 << 20)

    def answer(exchange: Exchange) -> None:
        read = 0
        while data := exchange.chunk():
            read += len(data)
            if read >= len(piece):
                behind.go_on.set()
        exchange.say(200, json.dumps(read).encode())

    def pieces() -> Iterator[bytes]:
        yield piece
        yield piece
        behind.wait()
        yield piece

    behind.answer = answer
    headers = {"Content-Type": "text/plain"}
    answered = client.post("/sessions/s_1/append", content=pieces(), headers=headers)

    assert 3 * len(piece) == answered.json()
