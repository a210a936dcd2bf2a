"""`make audit`: fails for a known vulnerability, and for nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci/audit.py"
CONSTRAINTS = "# pins\nalpha==1.0\nbeta==2.0.post1  # why\ngamma>=3\n"
_QUERIES = [
    {"package": {"name": "alpha", "ecosystem": "PyPI"}, "version": "1.0"},
    {"package": {"name": "beta", "ecosystem": "PyPI"}, "version": "2.0.post1"},
]


@contextmanager
def _source(answer: bytes) -> Iterator[str]:
    """Something that answers to the right question."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200 if asked == {"queries": _QUERIES} else 400)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _audit(folder: Path, url: str, *options: str) -> tuple[int, str]:
    constraints = folder / "constraints.txt"
    constraints.write_text(CONSTRAINTS, encoding="utf-8")
    line = [sys.executable, str(SCRIPT), "--constraints", str(constraints), "--url", url, *options]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env={})
    assert "" == done.stderr
    return done.returncode, done.stdout


def test_a_known_vulnerability_is_named(tmp_path: Path):
    """Unless it is one that somebody has looked at."""
    known = b'{"results": [{}, {"vulns": [{"id": "GHSA-1"}, {"id": "PYSEC-2"}]}]}'
    with _source(known) as url:
        status, output = _audit(tmp_path, url, "--ignore", "GHSA-1")
        assert (1, "known vulnerabilities:\nbeta 2.0.post1: PYSEC-2\n") == (status, output)
        assert 0 == _audit(tmp_path, url, "--ignore", "GHSA-1", "--ignore", "PYSEC-2")[0]


def test_nothing_is_known(tmp_path: Path):
    """Of what is pinned."""
    with _source(b'{"results": [{}, {}]}') as url:
        assert (0, "2 packages, no known vulnerability\n") == _audit(tmp_path, url)


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"results": [{}]}', b'{"results": [1, 2]}'])
def test_who_answers_something_else_is_no_source(tmp_path: Path, answer: bytes):
    """A proxy's page, say: one line, and no failure."""
    with _source(answer) as url:
        status, output = _audit(tmp_path, url)
    assert (0, 1) == (status, output.count("\n"))
    assert output.startswith("audit skipped: ")


def test_where_nobody_answers_it_is_skipped(tmp_path: Path):
    """A machine without the internet."""
    status, output = _audit(tmp_path, "http://127.0.0.1:9")
    assert (0, True) == (status, output.startswith("audit skipped: "))
