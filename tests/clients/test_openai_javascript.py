"""The official JavaScript client of OpenAI, unmodified, where node and npm are."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.e2e.running_server import PLAIN, RunningServer

_PROGRAM = Path(__file__).parent / "javascript"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None, reason="needs node and npm"
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the client that its package.json names; skips where npm gets none."""
    folder = tmp_path_factory.mktemp("javascript")
    for file in _PROGRAM.iterdir():
        shutil.copy(file, folder)
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    try:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install the client within two minutes")
    if done.returncode:
        pytest.skip(f"npm cannot install the client here: {done.stderr.strip()[-200:]}")
    return folder / "completions.mjs"


def test_the_javascript_client(server: RunningServer, program: Path):
    """Whole texts, streams, `n` with probabilities, leaving, errors as its classes, models."""
    done = subprocess.run(
        ["node", program.name, f"{server.url}/v1"],
        cwd=program.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    body = {"prompt": "Once ", "max_tokens": 40, "seed": 5}
    text = httpx.post(f"{server.url}/generate", json=body, timeout=60, verify=PLAIN).json()["text"]

    assert {
        "whole": text,
        "streamed": text,
        "several": [[0, 40], [1, 40], [2, 40], [3, 40]],
        "errors": [["BadRequestError", 400, "max_tokens"], ["NotFoundError", 404, "model"]],
        "models": ["tiny@1", "ending@1"],
    } == found
