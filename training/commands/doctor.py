"""doctor: whether everything is there that a training needs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from training.commands.arguments import MODEL_STORE, DataFolder, Flat, Options, Process, Store
from training.commands.status import DONE, FAILED
from training.corpora.load import default_data_folder
from training.doctor import computing, places
from training.doctor.finding import Check, Finding, State, tried
from training.doctor.places import Place

_STYLES = {State.OK: "green", State.NOTE: "yellow", State.BROKEN: "bold red"}


class Places(Options):
    """Which folders are looked at."""

    run_dir: Annotated[Path, Parameter(help="where runs will lie", metavar="DIR")] = Path("runs")
    store: Store = MODEL_STORE
    data: DataFolder = None


def doctor(
    *,
    places: Annotated[Places, Flat] = Places(),
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Try everything that a training needs on this machine; status 1 if something is broken."""
    process.require_alone("doctor")
    table = Table(title="lstm-train doctor", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    found: list[Finding] = []
    with process.waiting.during("trying everything"):
        for what, check in checks(places).items():
            found += tried(what, check)
    for finding in found:
        state = Text(finding.state, style=_STYLES[finding.state])
        table.add_row(Text(finding.what), state, Text(finding.words))
    process.console.print(table)
    broken = [finding.what for finding in found if finding.state == State.BROKEN]
    words = f"broken: {', '.join(broken)}" if broken else "everything that is needed works"
    process.console.print(Text(words), soft_wrap=True)
    return FAILED if broken else DONE


def checks(where: Places) -> dict[str, Check]:
    """All of them, by what they look at."""
    data = where.data or default_data_folder()
    return {
        "versions": computing.versions,
        "torch": computing.training,
        "onnxruntime": computing.exporting,
        "numbers": computing.number_formats,
        "threads": computing.threads,
        "memory": computing.memory,
        "runs": partial(places.writable, Place("runs", where.run_dir, "--run-dir", True)),
        "store": partial(places.writable, Place("store", where.store, "--store", True)),
        "models": partial(places.models_of, where.store),
        "data": partial(places.writable, Place("data", data, "--data", False)),
        "named texts": partial(places.corpora_in, data),
        "optional parts": computing.optional_parts,
    }
