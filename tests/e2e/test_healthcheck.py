"""The health check asks the server on this machine, whatever the environment says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.e2e.running_server import REPOSITORY, RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    "variable",
    ["SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "ALL_PROXY"],
)
def test_nothing_of_the_environment_counts(server: RunningServer, variable: str):
    """No proxy stands before it, and it needs no certificates and no log of keys."""
    words = [sys.executable, "-m", "service.cli", "healthcheck", "--port", str(server.port)]
    value = "socks5://127.0.0.1:1" if "PROXY" in variable else "/no/such/file"
    done = subprocess.run(
        words,
        cwd=REPOSITORY,
        env={**os.environ, variable: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
