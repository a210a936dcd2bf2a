"""`lstm-serve bench`: what cannot be measured is one line."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import nullcontext

import pytest

from service import cli
from service.commands.bench.rows import COLUMNS, Load, Row
from service.commands.bench.tables import MovingTable, PlainTable, table_for
from service.load.measurements import Measurements


@pytest.mark.parametrize(
    ("words", "status", "named"),
    [
        (["http://127.0.0.1:1"], 1, "no answer from http://127.0.0.1:1"),
        (["nonsense"], 1, "say it as http://HOST:PORT"),
        (["--api-key-file", "/no/such"], 1, "/no/such"),
        (["--rate", "1", "--load", "0.5"], 2, "--load: say either --rate or --load"),
        (["--prompt", "a", "--prompt-length", "9"], 2, "--prompt-length: say either"),
        (["--prompt", "\udcff"], 2, "--prompt: is not UTF-8"),
        (["--no-stream", "--stream-every", "2"], 2, "--stream-every: is for streams"),
        (["--streams", "0"], 2, "--streams"),
        (["--streams", "[1,"], 2, "--streams"),
        (["--streams", ""], 2, "--streams"),
        (["--load", "1,x"], 2, "--load.1"),
        (["--rate", "nan"], 2, "--rate"),
        (["--duration", "0"], 2, "--duration"),
    ],
    ids=range(13),
)
def test_what_cannot_be_is_a_line(capsys, words: list[str], status: int, named: str):
    """On standard error, that names what is wrong; nothing on standard output."""
    assert status == cli.main(["bench", *words])
    found = capsys.readouterr()

    assert "" == found.out
    assert named in found.err.splitlines()[-1]
    assert "LSTM_SERVE_" not in found.err


async def test_another_server_is_none_of_ours(capsys):
    """Whatever it answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.MonkeyPatch.context() as patch:
        # Signals are of the main thread, in which the other server runs here.
        patch.setattr("service.commands.bench.command.interruptible", nullcontext)
        status = await asyncio.to_thread(cli.main, ["bench", url])
    server.close()

    assert 1 == status
    assert f"{url} is no lstm-serve: GET /models gets 200" in capsys.readouterr().err


def _row() -> Row:
    found = Measurements(2.0, 3000, 100, 12, 0.1, [0.001, 0.003], [0.01, 0.02])
    found.errors.update({"429 overloaded": 3, "500 x": 1})
    return Row(Load(num_streams=1), found)


def test_a_file_gets_a_line_for_each_row():
    """In columns, below their heads, that fit on a terminal."""
    written = io.StringIO()
    with table_for(written, "tiny@1 at URL") as table:
        assert isinstance(table, PlainTable)
        table.watch("1 stream", Measurements(), 1.0)
        table.add(_row())
    title, *heads, line = written.getvalue().splitlines()

    assert "tiny@1 at URL" == title
    cells = ["1", "stream", "1,500", "6.0", "2.0", "3.0", "15.0", "19.9", "30.0", "19%", "1"]
    assert cells == line.split()
    assert {len(line)} == {len(head) for head in heads}
    assert len(line) < 80
    assert len(COLUMNS) == len(_row().cells())


def test_a_terminal_gets_a_table_that_moves(monkeypatch: pytest.MonkeyPatch):
    """And the plain one where rich is not installed."""
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    with table_for(written, "tiny@1 at URL") as table:
        assert isinstance(table, MovingTable)
        table.watch("1 stream", Measurements(num_tokens=50), 0.5)
        table.watch("2 streams", Measurements(), 0.0)
        table.add(_row())
    assert "1,500" in written.getvalue()
    assert "100" in written.getvalue()
    assert "warms up" in written.getvalue()

    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with table_for(written, "tiny@1 at URL") as table:
        assert isinstance(table, PlainTable)


def test_every_figure_is_in_the_json():
    """As numbers, with all errors."""
    figures = json.loads(json.dumps(_row().as_json()))

    assert ("closed", 1, 1500.0, 30.0) == (
        figures["loop"],
        figures["streams"],
        figures["tokens_per_s"],
        figures["tokens_per_event"],
    )
    assert {"429 overloaded": 3, "500 x": 1} == figures["errors"]
    assert 0.05 == figures["client_cores"]
    assert "open" == Row(Load(rate=2.5), Measurements(1.0)).as_json()["loop"]
