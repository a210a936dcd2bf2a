"""`lstm-serve bench` measures a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service import cli
from tests.e2e.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

_SHORT = ["--duration", "0.5", "--warmup", "0.2", "--max-tokens", "20"]


def test_both_loops_give_figures(server: RunningServer, tmp_path: Path, capsys):
    """A row for each number of clients, or for the capacity and each share of it."""
    report = tmp_path / "report.json"
    words = ["bench", server.url, *_SHORT, "--json", str(report)]
    assert 0 == cli.main([*words, "--streams", "1,3", "--stream-every", "4"])
    closed = json.loads(report.read_text("utf-8"))
    lines = capsys.readouterr().out.splitlines()
    long_enough = ["--duration", "3"]  # for some to arrive where a text takes half a second
    assert 0 == cli.main([*words, *long_enough, "--streams", "2", "--load", "0.5", "--no-stream"])
    opened = json.loads(report.read_text("utf-8"))

    assert ("tiny@1", True, [1, 3]) == (
        closed["model"],
        closed["fresh_prompts"],
        [row["streams"] for row in closed["rows"]],
    )
    for row in closed["rows"]:
        assert row["tokens_per_s"] > 0
        assert 1 <= row["tokens_per_event"] <= 4
        assert row["first_event_ms"]["p50"] > 0
        assert {} == row["errors"]
    assert ["1 stream", "3 streams"] == [line[:11].strip() for line in lines[-2:]]
    capacity, half = opened["rows"]
    assert ("closed", "open", None) == (capacity["loop"], half["loop"], half["gap_ms"])
    assert pytest.approx(capacity["requests_per_s"] / 2, rel=0.01) == half["planned_requests_per_s"]
    assert half["completed"] > 0
    assert 20 == half["tokens_per_event"]


def test_json_alone_is_on_standard_output(server: RunningServer, capsys):
    """The table goes to standard error then."""
    words = ["--streams", "1", "--prompt", "a", "--json", "-"]
    assert 0 == cli.main(["bench", server.url, *_SHORT, *words])
    found = capsys.readouterr()

    report = json.loads(found.out)
    assert (1, False) == (report["prompt_characters"], report["fresh_prompts"])
    assert "1 stream" in found.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--model", "nix"], "model_not_found"),
        (["--max-tokens", "99999999"], "max_tokens"),
        (["--prompt-length", "2"], "--prompt-length: there are too few"),
    ],
)
def test_what_the_server_refuses_is_a_line(server: RunningServer, capsys, words, named: str):
    """Before anything is measured."""
    assert 1 == cli.main(["bench", server.url, *words])
    found = capsys.readouterr()

    assert "" == found.out
    assert named in found.err
    assert 1 == len(found.err.splitlines())
