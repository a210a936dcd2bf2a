"""`lstm-serve generate` straight from the store, with no server."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service import cli
from service.app import create_app
from service.commands.generate import Generate
from service.runtime.sampling import COLUMNS
from service.settings import Settings
from tests import tiny_model


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of two models, of a machine without a server."""
    tiny_model.publish(tmp_path)
    tiny_model.publish(tmp_path, "later", seed=4, created_at="2026-02-01T00:00:00Z")
    monkeypatch.setenv("LSTM_SERVE_PORT", "1")
    monkeypatch.setenv("LSTM_SERVE_MODEL_STORE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("ways", [[], ["--no-stream"], ["--json"]])
def test_the_text_is_the_server_s(root: Path, capsys, ways: list[str]):
    """Bit for bit, with nothing else on standard output; what is drawn with is told beside it."""
    wanted = {"prompt": "Once ", "max_tokens": 300, "seed": 7, "temperature": 0.8, "top_k": 9}
    wanted["stop"] = ["\n", 'a,"b']
    with TestClient(create_app(Settings(model_store=root))) as client:
        answer = client.post("/generate", json=wanted).json()
    said = ["--max-tokens", "300", "--seed", "7", "--temperature", "0.8", "--top-k", "9"]
    said += ["--stop", "\n", "--stop", 'a,"b']

    assert 0 == cli.main(["generate", "Once ", *said, *ways])
    found = capsys.readouterr()
    if ways == ["--json"]:
        fields = json.loads(found.out)
        assert answer["text"] == fields["text"]
        assert ("tiny@1", "stop", 7) == (fields["model"], fields["finish_reason"], fields["seed"])
    else:
        assert answer["text"] == found.out
    assert f"straight from {root}" in found.err
    assert "--seed 7" in found.err


def test_a_seed_is_drawn_and_told(root: Path, capsys):
    """With it the text comes again."""
    assert 0 == cli.main(["generate", "a", "--max-tokens", "40"])
    first = capsys.readouterr()
    seed = first.err.split("--seed ")[1].split()[0]
    assert 0 == cli.main(["generate", "a", "--max-tokens", "40", "--seed", seed])

    assert first.out == capsys.readouterr().out


def test_the_prompt_comes_from_standard_input(root: Path, capsys, monkeypatch):
    """As `-`; and `null` is a prompt as any other."""
    given = io.TextIOWrapper(io.BytesIO("Oncé".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", given)
    assert 0 == cli.main(["generate", "-", "--seed", "1", "--json"])
    assert 4 == json.loads(capsys.readouterr().out)["usage"]["prompt_tokens"]
    assert 0 == cli.main(["generate", "null", "--seed", "1", "--json"])
    assert 4 == json.loads(capsys.readouterr().out)["usage"]["prompt_tokens"]


def test_what_the_model_has_never_seen_is_named(root: Path, capsys):
    """The first few, beside the text."""
    assert 0 == cli.main(["generate", "a§b°\x1b§", "--max-tokens", "1"])
    said = capsys.readouterr().err

    assert "tiny@1 has never seen 4" in said
    assert r"'§', '°', '\x1b'" in said


def test_another_model_can_be_named(root: Path, capsys):
    """By the option; or the settings' default."""
    for name in ("later", "later@1"):
        assert 0 == cli.main(["generate", "a", "--model", name, "--json", "--max-tokens", "1"])
        assert "later@1" == json.loads(capsys.readouterr().out)["model"]


@pytest.mark.parametrize(
    ("words", "status", "named"),
    [
        (["--model", "nix"], 1, "nix"),
        (["--max-tokens", "99999999"], 1, "max_tokens"),
        (["--max-tokens", "0"], 2, "--max-tokens: "),
        (["--temperature", "x"], 2, "--temperature: "),
        (["--session", "s_1"], 2, "--session needs a running server"),
        (["--url", "http://127.0.0.1:1"], 1, "refused"),
        (["--url", "nonsense"], 1, "protocol"),
        (["--url", "http://a:b"], 2, "--url http://a:b"),
        (["--api-key-file", "/no/such", "--url", "http://127.0.0.1:1"], 2, "/no/such"),
        (["--stop", "\udcff"], 2, "--stop is not UTF-8"),
        (["--model-store", "/no/such"], 1, "/no/such"),
    ],
    ids=range(11),
)
def test_what_cannot_be_is_a_line(root: Path, capsys, words, status: int, named: str):
    """On standard error, that names what is wrong; nothing on standard output."""
    assert status == cli.main(["generate", "a", *words])
    found = capsys.readouterr()

    assert "" == found.out
    assert named in found.err.splitlines()[-1]
    assert "LSTM_SERVE_" not in found.err


def test_every_way_of_drawing_is_an_option():
    """From the one table."""
    assert set(COLUMNS) <= set(Generate.model_fields)


def test_a_text_that_is_broken_off_is_ended(root: Path, capsys, monkeypatch):
    """By Ctrl-C: exit status 130; the seed is told all the same."""

    def interrupt(_text: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("service.commands.generate.say_exactly", interrupt)

    assert 130 == cli.main(["generate", "a", "--seed", "5"])
    assert "--seed 5" in capsys.readouterr().err
