"""Downloads that break off."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.training.documented import documented
from training.corpora.named import NamedCorpus, obtain
from training.errors import CorpusError

CONTENT = b"some words of a corpus\n" * 20_000


class CuttingServer(ThreadingHTTPServer):
    """Sends at most `piece` bytes an answer, whatever it promised."""

    piece = 200_000
    knows_ranges = True
    asked: list[str | None]

    @property
    def url(self) -> str:
        """Where the corpus is."""
        return f"http://127.0.0.1:{self.server_port}/corpus.txt"


class Cutting(BaseHTTPRequestHandler):
    """One answer of it."""

    server: CuttingServer

    def do_GET(self) -> None:
        """Promise all of the rest, send less."""
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        begin = 0
        if asked is not None and self.server.knows_ranges:
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin and begin >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        self.wfile.write(CONTENT[begin : begin + self.server.piece])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[CuttingServer]:
    """On a port of this machine."""
    with CuttingServer(("127.0.0.1", 0), Cutting) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def corpus(server: CuttingServer) -> NamedCorpus:
    """What it serves."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return NamedCorpus("little", "little.txt", "these tests", server.url, sha256, "public domain")


def test_a_download_goes_on_where_it_broke_off(server: CuttingServer, tmp_path: Path) -> None:
    """In one command, if three tries are enough."""
    assert obtain(corpus(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=200000-", "bytes=400000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["little.txt"]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_the_same_command_again_ends_it(
    server: CuttingServer, tmp_path: Path, knows_ranges: bool
) -> None:
    """By the rest, or by all of it; never half a file under the name."""
    server.piece, server.knows_ranges = 100_000, knows_ranges
    with pytest.raises(CorpusError, match=re.escape(documented("it broke off"))):
        obtain(corpus(server), tmp_path)
    assert not (tmp_path / "little.txt").exists()
    server.piece = len(CONTENT)
    assert obtain(corpus(server), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("length", [1_000, len(CONTENT), len(CONTENT) + 5])
def test_a_wrong_beginning_is_thrown_away(
    server: CuttingServer, tmp_path: Path, length: int
) -> None:
    """Of another version of the file, say."""
    server.piece = len(CONTENT)
    (tmp_path / "little.txt.part").write_bytes(b"x" * length)
    assert obtain(corpus(server), tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["little.txt"]
