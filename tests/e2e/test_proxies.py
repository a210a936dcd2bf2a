"""Whose word for a client's address counts."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.e2e.running_server import PLAIN, running_server
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("trusted", "client"),
    [("", "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1"), ("127.0.0.0/8, ::1", "192.0.2.7")],
)
def test_only_trusted_proxies_are_believed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, client: str
):
    """A forged address buys no share; neither does a variable of uvicorn's."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    with running_server(store, tmp_path, trusted_proxies=trusted, log_format="json") as server:
        headers = {"X-Forwarded-For": "192.0.2.7", "X-Request-Id": "forged"}
        httpx.get(f"{server.url}/models", headers=headers, verify=PLAIN).raise_for_status()
        line = wait_for(
            lambda: next(
                (
                    json.loads(line)
                    for line in server.log.read_text(encoding="utf-8").splitlines()
                    if '"forged"' in line
                ),
                None,
            ),
            "the line of the log",
        )

    assert line is not None
    assert client == line["client"]
