"""The table: one that moves, by rich, where a person looks and rich is there; else plain lines."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from service.commands.bench.rows import COLUMNS, Row
from service.load.measurements import Measurements

if TYPE_CHECKING:
    from rich.live import Live

_WIDTHS = (11, 8, 6, 7, 7, 7, 7, 6, 4, 6)


class Table(Protocol):
    """What rows go into."""

    def watch(self, label: str, found: Measurements, elapsed_s: float) -> None:
        """Show what is being measured; called once a second, since showing takes time as well."""

    def add(self, row: Row) -> None:
        """Show a row that is complete."""


@contextmanager
def table_for(stream: TextIO, title: str) -> Iterator[Table]:
    """A table with that title, on this stream."""
    if not stream.isatty() or importlib.util.find_spec("rich") is None:
        yield PlainTable(stream, title)
        return
    from rich.console import Console
    from rich.live import Live

    # It draws when it is told to, and not from a thread of its own beside the clients.
    with Live(console=Console(file=stream), auto_refresh=False) as live:
        yield MovingTable(live, title)


class PlainTable:
    """A line for each row, when it is complete."""

    def __init__(self, stream: TextIO, title: str) -> None:
        self._stream = stream
        self._write(title)
        for line in zip(*COLUMNS, strict=True):
            self._write(self._line(line))

    def watch(self, label: str, found: Measurements, elapsed_s: float) -> None:
        """Nothing: a file does not forget."""

    def add(self, row: Row) -> None:
        """Write its line."""
        self._write(self._line(row.cells()))

    def _line(self, cells: tuple[str, ...]) -> str:
        first, *rest = cells
        aligned = (cell.rjust(width) for cell, width in zip(rest, _WIDTHS[1:], strict=True))
        return " ".join([first.ljust(_WIDTHS[0]), *aligned])

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class MovingTable:
    """All rows, and one of what is being measured: the throughput so far."""

    def __init__(self, live: Live, title: str) -> None:
        self._live = live
        self._title = title
        self._rows: list[Row] = []
        self._show()

    def watch(self, label: str, found: Measurements, elapsed_s: float) -> None:
        """Show the running row: no percentiles, which would take more time the more there is."""
        if elapsed_s <= 0:
            self._show((label, "warms up"))
            return
        tokens, requests = found.num_tokens / elapsed_s, found.num_completed / elapsed_s
        self._show((label, f"{tokens:,.0f}", f"{requests:,.1f}"))

    def add(self, row: Row) -> None:
        """Show it with all its figures."""
        self._rows.append(row)
        self._show()

    def _show(self, running: tuple[str, ...] | None = None) -> None:
        from rich.table import Table as RichTable

        table = RichTable(
            title=self._title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False
        )
        for head, width in zip(COLUMNS, _WIDTHS, strict=True):
            is_first = head is COLUMNS[0]
            table.add_column(
                "\n".join(head), justify="left" if is_first else "right", min_width=width
            )
        for row in self._rows:
            table.add_row(*row.cells())
        if running is not None:
            table.add_row(*running, style="dim")
        self._live.update(table, refresh=True)
