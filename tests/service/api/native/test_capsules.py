"""Capsules over HTTP: pasts that clients keep."""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.models.errors import CannotServe
from service.rows.codec import encode_row
from service.rows.row import Row
from service.sessions.capsules.seal import Content, from_text, seal, to_text
from service.settings import Settings
from tests import tiny_model
from tests.service.api.native.test_sessions import create, turn

KEY = bytes(range(32))
KEYS = "k1:" + base64.b64encode(KEY).decode()


@pytest.fixture(scope="module")
def keyed(store: Path) -> Iterator[TestClient]:
    """A server with a key."""
    settings = Settings(model_store=store, capsule_keys=KEYS, session_store="memory://")
    with TestClient(create_app(settings)) as client:
        yield client


def generate(client: TestClient, **body) -> dict:
    """A text."""
    answer = client.post("/generate", json=body)
    assert 200 == answer.status_code, answer.text
    return answer.json()


def capsule_of(client: TestClient, session: dict) -> str:
    """Of a session, as text."""
    answer = client.get(f"/sessions/{session['id']}/capsule")
    assert 200 == answer.status_code, answer.text
    return answer.json()["capsule"]


def test_two_texts_with_a_capsule_between_are_one(keyed: TestClient):
    """With a prompt, with penalties, and with the seed that the first one had."""
    options = {"repetition_penalty": 1.4, "frequency_penalty": 0.4, "max_tokens": 25}
    first = generate(keyed, prompt="Once ", seed=9, return_capsule=True, **options)
    second = generate(keyed, capsule=first["capsule"], **options)
    whole = generate(keyed, prompt="Once ", seed=9, **options | {"max_tokens": 50})

    assert whole["text"] == first["text"] + second["text"]
    assert (9, None) == (second["seed"], second["session"])
    assert "capsule" not in second


def test_a_text_that_was_stopped_goes_on_from_what_was_shown(keyed: TestClient):
    """As a session does."""
    whole = generate(keyed, prompt="Once ", seed=9, max_tokens=80)["text"]
    options = {"max_tokens": 80, "stop": whole[30:33]}
    session = create(keyed, prompt="Once ", seed=9)
    shown = turn(keyed, session, **options)["text"]
    stopped = generate(keyed, prompt="Once ", seed=9, return_capsule=True, **options)
    again = {"prompt": "And ", "max_tokens": 20, "frequency_penalty": 0.5}

    assert ("stop", shown) == (stopped["finish_reason"], stopped["text"])
    assert (
        turn(keyed, session, **again)["text"]
        == generate(keyed, capsule=stopped["capsule"], **again)["text"]
    )


def test_the_last_event_brings_the_capsule(keyed: TestClient):
    """And no other one."""
    body = {"prompt": "Once ", "seed": 9, "max_tokens": 40, "stream": True, "return_capsule": True}
    answer = keyed.post("/generate", json=body | {"stream_every": 8})
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    text = "".join(event["text"] for event in events)
    more = generate(keyed, capsule=events[-1]["capsule"], max_tokens=20)["text"]

    assert len(events) > 2
    assert not any("capsule" in event for event in events[:-1])
    assert generate(keyed, prompt="Once ", seed=9, max_tokens=60)["text"] == text + more


@pytest.mark.parametrize("prompt", ["", "Once "])
def test_a_session_goes_out_and_in(keyed: TestClient, prompt: str):
    """It is of whoever imports it, and goes on as the first one does."""
    mine, yours = {"Authorization": "Bearer me"}, {"Authorization": "Bearer you"}
    session = keyed.post("/sessions", json={"prompt": prompt, "seed": 9}, headers=mine).json()
    path = f"/sessions/{session['id']}/capsule"
    assert 404 == keyed.get(path, headers=yours).status_code
    capsule = keyed.get(path, headers=mine).json()["capsule"]
    raw = keyed.get(path, headers=mine | {"Accept": "application/octet-stream"})
    answer = keyed.post("/sessions/import", json={"capsule": to_text(raw.content)}, headers=yours)
    imported = answer.json()
    body = {"max_tokens": 25}
    texts = [
        keyed.post("/generate", json=body | past, headers=headers).json()["text"]
        for past, headers in (
            ({"session": session["id"]}, mine),
            ({"session": imported["id"]}, yours),
            ({"capsule": capsule}, {}),
        )
    ]

    assert 201 == answer.status_code
    assert "application/octet-stream" == raw.headers["content-type"]
    assert (len(prompt), 9, 0) == tuple(imported[n] for n in ("num_tokens", "seed", "version"))
    assert 404 == keyed.get(f"/sessions/{imported['id']}", headers=mine).status_code
    assert 1 == len(set(texts))


def test_long_capsules_are_for_a_thread(keyed: TestClient, monkeypatch: pytest.MonkeyPatch):
    """And are the same."""
    monkeypatch.setattr("service.inference.capsules._LONG_BYTES", 0)
    first = generate(keyed, seed=9, max_tokens=20, return_capsule=True)
    second = generate(keyed, capsule=first["capsule"], max_tokens=20)
    imported = keyed.post("/sessions/import", json={"capsule": first["capsule"]}).json()
    out = capsule_of(keyed, imported)

    assert (
        generate(keyed, seed=9, max_tokens=40)["text"]
        == first["text"] + second["text"]
        == first["text"] + generate(keyed, capsule=out, max_tokens=20)["text"]
    )


def test_a_turn_may_give_a_capsule(keyed: TestClient):
    """Of the session as it is after it."""
    session = create(keyed, prompt="Once ", seed=9)
    capsule = turn(keyed, session, max_tokens=9, return_capsule=True)["capsule"]
    text = generate(keyed, capsule=capsule, max_tokens=9)["text"]

    assert turn(keyed, session, max_tokens=9)["text"] == text


def forged(served, **changes) -> str:
    """An authentic capsule of something else."""
    row = changes.pop("row", Row.start(served.engine.row_shape))
    fingerprint = served.manifest.fingerprint
    content = row if isinstance(row, bytes) else encode_row(row, fingerprint)
    inside = replace(Content("tiny@1", fingerprint, 7, content), **changes.pop("inside", {}))
    made: dict[str, Any] = {"key_id": "k1", "key": KEY, "now_s": time.time(), "ttl_s": 60} | changes
    return to_text(seal(inside, **made))


def refusals(served) -> dict[str, tuple[str, int, str, str]]:
    """Capsules that are refused: with status, code, and a part of the message."""
    shape, fingerprint = served.engine.row_shape, served.manifest.fingerprint
    row = encode_row(Row.start(shape), fingerprint)
    nan = replace(Row.start(shape), state_W=np.full(shape.state_width, 1, np.float32))
    raw = bytearray(encode_row(nan, fingerprint)[:-4])
    raw[64:68] = np.float32(np.nan).tobytes()
    raw += zlib.crc32(raw).to_bytes(4, "little")
    good = forged(served)
    return {
        "model": (forged(served, inside={"model": "other@1"}), 404, "model_not_found", "other@1"),
        "artefact": (
            forged(served, inside={"fingerprint": b"x" * 32}),
            409,
            "capsule_unusable",
            "another model",
        ),
        "cut": (good[:-8], 422, "capsule_invalid", "not authentic"),
        "head": (good[:20], 422, "capsule_invalid", "cut off"),
        "text": (good + "=", 422, "capsule_invalid", "base64url"),
        "nonsense": ("aGVsbG8", 422, "capsule_invalid", "not a capsule"),
        "key": (forged(served, key_id="k2"), 422, "capsule_invalid", "key that is not known"),
        "forged": (forged(served, key=bytes(32)), 422, "capsule_invalid", "not authentic"),
        "expired": (forged(served, now_s=1000), 410, "capsule_expired", "expired"),
        "long": (forged(served, row=row + b"x"), 409, "capsule_unusable", "too long"),
        "finite": (forged(served, row=bytes(raw)), 409, "capsule_unusable", "not finite"),
    }


CASES = [
    "model",
    "artefact",
    "cut",
    "head",
    "text",
    "nonsense",
    "key",
    "forged",
    "expired",
    "long",
    "finite",
]


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_refused(keyed: TestClient, case: str):
    """On both ways in, before anything is touched."""
    app: Any = keyed.app
    served = app.state.service.inference.models.resolve("tiny")
    capsule, status, code, part = refusals(served)[case]
    owner = {"Authorization": f"Bearer {case}"}
    for path in ("/generate", "/sessions/import"):
        answer = keyed.post(path, json={"capsule": capsule}, headers=owner)
        error = answer.json()["error"]
        assert (status, code) == (answer.status_code, error["code"]), error
        assert part in error["message"]
    assert [] == keyed.get("/sessions", headers=owner).json()["sessions"]


def test_options_that_do_not_go_together_are_refused(keyed: TestClient):
    """By the name of the field."""
    session, capsule = create(keyed), generate(keyed, max_tokens=1, return_capsule=True)["capsule"]
    both = keyed.post("/generate", json={"capsule": capsule, "session": session["id"]})
    recorded = keyed.post(
        "/generate",
        json={"session": session["id"], "return_capsule": True},
        headers={"Idempotency-Key": "k"},
    )

    for answer, param in ((both, "capsule"), (recorded, "return_capsule")):
        assert (422, param) == (answer.status_code, answer.json()["error"]["param"])


def test_without_a_key_there_are_no_capsules(client: TestClient):
    """Which is said, wherever one would be made or opened."""
    session = create(client)
    answers = [
        client.get(f"/sessions/{session['id']}/capsule"),
        client.post("/sessions/import", json={"capsule": "x"}),
        client.post("/generate", json={"return_capsule": True, "max_tokens": 1}),
        client.post("/generate", json={"capsule": "x", "max_tokens": 1}),
    ]

    assert [(501, "capsules_off")] * 4 == [
        (answer.status_code, answer.json()["error"]["code"]) for answer in answers
    ]


def test_keys_are_rotated(store: Path, tmp_path: Path):
    """The first one seals, of the setting or the file; all of them open."""
    file = tmp_path / "capsule.keys"
    file.write_text("k2:" + base64.b64encode(bytes(32)).decode() + "\n" + KEYS, encoding="utf-8")
    made = []
    for keys in ({"capsule_keys": KEYS}, {"capsule_keys_file": file}):
        settings = Settings(model_store=store, session_store="memory://", **keys)
        with TestClient(create_app(settings)) as client:
            made.append(generate(client, max_tokens=5, seed=3, return_capsule=True)["capsule"])
            texts = {generate(client, capsule=each, max_tokens=9)["text"] for each in made}
            assert 1 == len(texts)

    assert [b"k1", b"k2"] == [from_text(capsule)[9:11] for capsule in made]


@pytest.mark.parametrize("given", ["k1:c2VjcmV0", "c2VjcmV0", KEYS + "," + KEYS])
def test_wrong_keys_stop_the_start_and_are_not_shown(store: Path, given: str):
    """Neither in the error nor in the settings."""
    settings = Settings(model_store=store, session_store="memory://", capsule_keys=given)
    with pytest.raises(CannotServe, match="--capsule-keys") as caught:
        create_app(settings)

    assert not any(word in str(caught.value) + repr(settings) for word in ("c2Vj", KEYS[3:]))


def test_a_file_of_keys_that_cannot_be_read_stops_the_start(store: Path, tmp_path: Path):
    """Its name is told."""
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name in ("missing", "bytes"):
        settings = Settings(model_store=store, capsule_keys_file=tmp_path / name)
        with pytest.raises(CannotServe, match=name):
            create_app(settings)


def test_a_capsule_of_a_replaced_model_is_refused(store: Path, tmp_path: Path, keyed: TestClient):
    """Though the other one has its name."""
    capsule = generate(keyed, max_tokens=5, return_capsule=True)["capsule"]
    tiny_model.publish(tmp_path, "tiny", seed=99)
    settings = Settings(model_store=tmp_path, capsule_keys=KEYS, session_store="memory://")
    with TestClient(create_app(settings)) as client:
        answer = client.post("/generate", json={"capsule": capsule})

    assert (409, "capsule_unusable") == (answer.status_code, answer.json()["error"]["code"])
