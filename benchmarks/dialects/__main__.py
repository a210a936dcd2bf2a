"""Does every dialect keep its promises, for a crowd of which half misbehaves, through kill -9?

    python -m benchmarks.dialects [--minutes 15] [--clients 256] [--kills 1] [--json FILE]

Everything is asked for once, alone: that is the reference. Then all clients ask at once, in all
dialects (native, OpenAI's completions and chat, KServe's generate and infer, /score, sessions whose
turns have an Idempotency-Key): some read slowly, some leave, some send nonsense or half a request.
In the middle the server is killed with -9, and a supervisor starts it again. No text may be another
one, no turn that was told to be complete may be lost, no error may lack the one shape of its
dialect, and there is no traceback. Exit status 1 if one of these is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx

from benchmarks.dialects.crowd import References, crowd
from benchmarks.dialects.dialects import CHAT_MODEL, MODEL
from benchmarks.dialects.found import Found
from benchmarks.dialects.supervised import Supervised
from benchmarks.machine import describe_machine, headline
from service.artifacts.chat import ROLES, ROLES_STOP
from service.artifacts.store import ModelStore

_START_S = 120.0


async def run(options: argparse.Namespace, folder: Path) -> tuple[Found, Supervised, int]:
    """The whole of it; returns what was seen, of which server, and how many rows are left."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", options.port))
        port = int(probe.getsockname()[1])
    command = ["--model-store", str(_store(options.model_store, folder / "store"))]
    command += ["--default-model", MODEL, "--log-level", "warning"]
    command += ["--session-store", f"sqlite:///{folder / 'sessions.db'}"]
    server = Supervised(command, port, folder / "log")
    seconds = options.minutes * 60
    try:
        async with _tended(server, Killing(server, seconds, options.kills)) as begin_killing:
            await _ready(port)
            address = ("127.0.0.1", port)
            references = await References.of(address, options.seed)
            print(
                f"{len(references.texts)} texts and {len(references.talks)} talks alone", flush=True
            )
            begin_killing.set()
            found = await crowd(address, references, options.clients, seconds, options.seed)
            left = await _rows_left(port)
    finally:
        server.end()
    return found, server, left


def _store(models: Path, root: Path) -> Path:
    """A store of two models with the same weights, one of which knows chats."""
    store = ModelStore(models)
    version = str(store.versions(MODEL)[-1])
    for name in (MODEL, CHAT_MODEL):
        shutil.copytree(models / MODEL / version, root / name / version)
    path = root / CHAT_MODEL / version / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest |= {"name": CHAT_MODEL, "chat_template": {"template": ROLES, "stop": ROLES_STOP}}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return root


@contextlib.asynccontextmanager
async def _tended(server: Supervised, killing: Killing) -> AsyncIterator[asyncio.Event]:
    tasks = [asyncio.create_task(server.keep()), asyncio.create_task(killing.run())]
    try:
        yield killing.begins
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Killing:
    """kill -9, so many times at equal distances.

    Attributes:
        begins: Set when the time begins.
    """

    def __init__(self, server: Supervised, seconds: float, number: int) -> None:
        self.begins = asyncio.Event()
        self._server, self._seconds, self._number = server, seconds, number

    async def run(self) -> None:
        """Kill it so often."""
        await self.begins.wait()
        for _ in range(self._number):
            await asyncio.sleep(self._seconds / (self._number + 1))
            self._server.kill()
            print("kill -9", flush=True)


async def _ready(port: int) -> None:
    async with asyncio.timeout(_START_S), httpx.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
                if answer.status_code == 200:
                    return
            await asyncio.sleep(0.2)


async def _rows_left(port: int) -> int:
    """Rows that are still in use when all clients have gone, and some time has passed."""
    left = 0
    async with httpx.AsyncClient(timeout=30) as client:
        for _ in range(100):
            report = (await client.get(f"http://127.0.0.1:{port}/health/ready")).json()
            engines = report["models"].values()
            left = sum(each["running"] + each["waiting"] + each["parked"] for each in engines)
            if not left:
                break
            await asyncio.sleep(0.1)
    return left


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it, print what was found; exit with 1 if something was wrong."""
    options = _options(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found, server, left = asyncio.run(run(options, Path(folder)))
        tracebacks = server.num_tracebacks()
        if tracebacks and options.log:
            shutil.copy(Path(folder) / "log", options.log)
    for name, outcomes in found.outcomes.items():
        told = " ".join(f"{outcome}:{number}" for outcome, number in outcomes.most_common())
        print(f"{name:22}{told}")
    for example in found.examples:
        print(example)
    figures = {
        "errors outside of their dialect's shape": found.outside,
        "texts that differ": found.differs,
        "turns lost": found.lost,
        "turns doubled": found.doubled,
        "tracebacks": tracebacks,
        "rows left": left,
        "ends that nobody asked for": sum(status != -9 for status in server.exits),
        "kills that did not happen": options.kills - server.exits.count(-9),
    }
    for name, number in figures.items():
        print(f"{name}: {number}")
    print(f"{server.most_bytes / 2**20:.0f} MiB at most, {time.monotonic() - started_s:.0f} s")
    if options.json:
        report = {"machine": machine, "minutes": options.minutes, "clients": options.clients}
        report |= {"figures": figures, "most_bytes": server.most_bytes, **found.report()}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if any(figures.values()) else 0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--minutes", type=float, default=15.0, metavar="M", help="default 15")
    parser.add_argument("--clients", type=int, default=256, metavar="N", help="default 256")
    parser.add_argument("--kills", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--seed", type=int, default=0, help="of everything (default 0)")
    parser.add_argument("--port", type=int, default=0, help="by default one that is free")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found here")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep a log with tracebacks")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
