"""Receipts, and `lstm-serve replay`, which proves that a text follows from one."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service import cli
from service.app import create_app
from service.inference.receipts import ids_to_text
from service.settings import Settings
from tests import tiny_model

KEYS = "k1:" + base64.b64encode(bytes(range(32))).decode()
PENALTIES = {"repetition_penalty": 1.4, "frequency_penalty": 0.4, "presence_penalty": 0.2}
WAYS = [{}, PENALTIES, {"temperature": 0.5, "top_k": 5}, {"logprobs": 2}]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one model."""
    root = tmp_path_factory.mktemp("store")
    tiny_model.publish(root)
    return root


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[TestClient]:
    """A server with a key."""
    settings = Settings(model_store=root, capsule_keys=KEYS, session_store="memory://")
    with TestClient(create_app(settings)) as client:
        yield client


def generate(client: TestClient, **body) -> dict:
    """An answer."""
    answer = client.post("/generate", json={"seed": 9, "max_tokens": 60, "receipt": True} | body)
    assert 200 == answer.status_code, answer.text
    return answer.json()


def streamed(client: TestClient, **body) -> tuple[str, dict]:
    """The text and the last event."""
    asked = {"seed": 9, "max_tokens": 60, "receipt": True, "stream": True, "stream_every": 5}
    answer = client.post("/generate", json=asked | body)
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert not any("receipt" in event for event in events[:-1])
    return "".join(event["text"] for event in events), events[-1]


def replay(receipt: object, root: Path, *more: str, folder: Path) -> int:
    """The status."""
    file = folder / "receipt.json"
    file.write_text(receipt if isinstance(receipt, str) else json.dumps(receipt))
    return cli.main(["replay", str(file), "--model-store", str(root), *more])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_text_follows_from_its_receipt(
    client: TestClient, root: Path, tmp_path: Path, way: dict, is_stopped: bool
):
    """Whole and streamed they are one."""
    if is_stopped:
        plain = generate(client, prompt="Once ", **way)["text"]
        way = way | {"stop": [plain[40:43]]}
    whole = generate(client, prompt="Once ", **way)
    text, last = streamed(client, prompt="Once ", **way)

    assert (whole["text"], whole["receipt"]) == (text, last["receipt"])
    assert whole["text"] == whole["receipt"]["text"]
    assert "stop" == whole["finish_reason"] or not is_stopped
    assert "empty" == whole["receipt"]["start"]
    assert 0 == replay(whole["receipt"], root, folder=tmp_path)


@pytest.mark.parametrize("stop", [None, 10])
@pytest.mark.parametrize("kind", ["session", "capsule", "again"])
def test_a_text_that_goes_on_follows_from_the_capsule_before_it(
    client: TestClient, root: Path, tmp_path: Path, kind: str, stop: int | None
):
    """Of sessions, of capsules, and of turns that are written again; the ends meet."""
    first = generate(client, prompt="Once ", return_capsule=True, **PENALTIES)
    imported = client.post("/sessions/import", json={"capsule": first["capsule"]}).json()
    past = {"capsule": first["capsule"]} if kind == "capsule" else {"session": imported["id"]}
    body: dict = {"prompt": "And ", **PENALTIES}
    if stop is not None:
        probe = generate(client, capsule=first["capsule"], **body)["text"]
        body["stop"] = probe[stop : stop + 2]
    receipt = generate(client, **past, **body)["receipt"]
    if kind == "again":
        path = f"/sessions/{imported['id']}/regenerate"
        receipt = client.post(path, json={"receipt": True, "seed": 4}).json()["receipt"]
    file = tmp_path / "past"
    file.write_text(first["capsule"])
    keyed = ["--capsule", str(file), "--capsule-keys", KEYS]

    assert first["receipt"]["end"] == receipt["start"]
    assert 0 == replay(receipt, root, *keyed, folder=tmp_path)
    assert 2 == replay(receipt, root, folder=tmp_path)
    assert 1 == replay(first["receipt"], root, *keyed, folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: {"text": r["text"][:7] + "§" + r["text"][8:]}, "text differs at character 7"),
        (lambda r: {"text": r["text"][:-1]}, "text differs at character"),
        (lambda r: {"text": r["text"] + "more"}, "writes nothing more"),
        (lambda _: {"seed": 10}, "text differs at character"),
        (lambda r: {"options": r["options"] | {"temperature": 0.0}}, "text differs at character"),
        (lambda _: {"max_tokens": 61}, "text differs at character"),
        (lambda _: {"finish_reason": "eos"}, "finish_reason differs"),
        (lambda _: {"completion": ids_to_text(np.array([1]))}, "completion"),
        (lambda _: {"prompt": ids_to_text(np.array([9999]))}, "prompt: the model has no token"),
        (lambda _: {"end": "0" * 64}, "end differs"),
        (lambda _: {"fingerprint": "0" * 64}, "the model differs"),
        (lambda _: {"model": "another@1"}, "another"),
    ],
    ids=range(12),
)
def test_what_was_changed_is_named(
    client: TestClient, root: Path, tmp_path: Path, capsys, change, named: str
):
    """In one line, with status 1."""
    receipt = generate(client, prompt="Once ", temperature=1.5)["receipt"]

    assert 1 == replay(receipt | change(receipt), root, folder=tmp_path)
    said = capsys.readouterr().err
    assert named in said
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize(
    "change",
    [
        {"receipt": 2},
        {"end": "short"},
        {"prompt": "AAAA!"},
        {"completion": ""},
        {"max_tokens": 0},
        {"seed": -1},
        {"num_tokens_before": 3},
        {"model": "tiny"},
        {"unknown": 1},
    ],
)
def test_what_is_no_receipt_is_refused(
    client: TestClient, root: Path, tmp_path: Path, capsys, change: dict
):
    """With status 2."""
    receipt = generate(client, prompt="Once ")["receipt"]

    assert 2 == replay(receipt | change, root, folder=tmp_path)
    assert 1 == len(capsys.readouterr().err.splitlines())


@pytest.mark.parametrize("garbage", ["", "{", "[]", "null", "\x00", "{}", "[" * 100_000])
def test_garbage_is_refused(root: Path, tmp_path: Path, garbage: str, capsys):
    """With status 2, as is a file that is not there."""
    assert 2 == replay(garbage, root, folder=tmp_path)
    assert "is no receipt" in capsys.readouterr().err
    assert 2 == cli.main(["replay", str(tmp_path / "none"), "--model-store", str(root)])


def test_it_is_read_from_standard_input(client: TestClient, root: Path, monkeypatch):
    """As `-`."""
    receipt = json.dumps(generate(client, prompt="Once ")["receipt"]).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(receipt), encoding="utf-8"))

    assert 0 == cli.main(["replay", "-", "--model-store", str(root)])


def test_receipts_are_not_recorded(client: TestClient):
    """A turn that may be asked for again has none."""
    session = client.post("/sessions", json={"prompt": "Once "}).json()
    body = {"session": session["id"], "receipt": True}
    answer = client.post("/generate", json=body, headers={"Idempotency-Key": "a"})

    assert 422 == answer.status_code
    assert "receipts" in answer.text
