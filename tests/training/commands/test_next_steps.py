"""What is printed after publishing works when it is pasted."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service import cli as serving
from service.app import create_app
from service.artifacts.store import ModelStore
from service.settings import Settings
from tests.tiny_model import publish
from tests.training.documented import documented
from tests.training.tiny import TinyRun
from training.cli import main
from training.commands.next_steps import next_steps, program
from training.served.step_model import find_published

pytestmark = pytest.mark.timeout(240)  # programs are started, some of which load torch


def commands(shown: str) -> list[list[str]]:
    """The indented lines, as a shell would read them."""
    return [shlex.split(line) for line in shown.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("store", ["model_store", "st ore", "it's [bold]"])
def test_each_next_step_can_be_pasted(
    tiny_run: TinyRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    store: str,
) -> None:
    """The sample is written, the server takes the store, and answers the body of the request."""
    monkeypatch.chdir(tmp_path)
    run_dir = str(tiny_run.folder.path)
    assert main(["publish", "--run-dir", run_dir, "--store", store]) == 0
    before, _, shown = capsys.readouterr().out.rpartition(documented("published ")[:10])
    assert before
    assert shown.startswith("tiny@1 in ")
    assert documented("a server that runs there already: stop it first") in shown
    sample, serve, curl = commands(shown)
    assert Path(sample[0]).name == "lstm-train"
    assert main(sample[1:]) == 0
    assert capsys.readouterr().out.startswith("The ")

    served: list[Settings] = []

    def serve_nothing(settings: Settings) -> int:
        served.append(settings)
        return 0

    monkeypatch.setattr(serving, "serve", serve_nothing)
    assert Path(serve[0]).name == "lstm-serve"
    assert serving.main(serve[1:]) == 0
    assert curl[:3] == ["curl", "-N", f"localhost:{served[0].port}/generate"]
    header, value = curl[curl.index("-H") + 1].split(": ")
    with TestClient(create_app(served[0])) as client:
        body = curl[curl.index("-d") + 1].encode()
        answer = client.post("/generate", content=body, headers={header: value})
    assert answer.status_code == 200
    assert '"text"' in answer.text


def test_an_older_version_is_called_by_its_number(tmp_path: Path) -> None:
    """The name alone is the newest one."""
    publish(tmp_path)
    store = ModelStore(tmp_path)
    artifact = find_published(store, "tiny")
    body = json.loads(commands(next_steps(artifact, store, ""))[2][-1])
    assert (body["model"], body["prompt"]) == ("tiny", "")
    newer = artifact.folder.with_name(str(artifact.manifest.version + 1))
    newer.mkdir()
    body = json.loads(commands(next_steps(artifact, store, "[b]'s"))[2][-1])
    assert (body["model"], body["prompt"]) == (artifact.ref, "[b]'s")


def test_programs_are_called_as_the_shell_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name where the environment is active, else by the path beside this Python."""
    binaries = tmp_path / "a b" / "bin"
    binaries.mkdir(parents=True)
    script = binaries / "lstm-train"
    script.write_text("#!/bin/sh\necho here\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(binaries / "python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    assert program("lstm-train") == "a b/bin/lstm-train"
    command = shlex.quote(program("lstm-train"))
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "here\n"
    monkeypatch.chdir(binaries)
    assert program("lstm-train") == "./lstm-train"
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin")
    assert program("lstm-train") == "lstm-train"
    assert program("lstm-serve") == "lstm-serve"
