"""Servers with each kind of store of sessions: turns a second, and memory for idle sessions."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contestants import Server
from benchmarks.ratios import print_ratios

_CLIENTS = 64
_TURN_TOKENS = 64
_TURN_S = 6.0
_WARM_SESSIONS = 1_000
IDLE_SESSIONS = 10_000


async def turns_per_s(port: int, duration_s: float) -> float:
    """Turns of 64 sessions at a time, from a running server.

    By bare sockets: an HTTP library takes longer for a turn than the server.
    """
    num_turns = 0

    async def talk() -> None:
        nonlocal num_turns
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        session = (await _post(reader, writer, "/sessions", {"prompt": "ROMEO:"}))["id"]
        body = {"session": session, "prompt": "\n", "max_tokens": _TURN_TOKENS}
        while time.perf_counter() < end_s:
            await _post(reader, writer, "/generate", body)
            num_turns += 1
        writer.close()

    end_s = time.perf_counter() + duration_s
    await asyncio.gather(*(talk() for _ in range(_CLIENTS)))
    return num_turns / duration_s


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: dict[str, Any]
) -> Any:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(content) + content)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", answer)
    if length is None or b" 20" not in answer[:13]:
        raise RuntimeError(answer.decode())
    return json.loads(await reader.readexactly(int(length[1])))


def by_store(folder: Path, rounds: int) -> dict[str, Any]:
    """Turns a second with each kind of store, in turn; ratios to those in memory.

    Then the memory that idle sessions take, of those that keep them elsewhere.
    """
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{folder}/turns.sqlite3"}
    found: list[dict[str, float]] = []
    with ExitStack() as stack:
        if shutil.which("redis-server"):
            urls["redis"] = stack.enter_context(_redis(folder))
        else:
            print("no redis-server here: Redis is left out")
        servers, processes = {}, {}
        for name, url in urls.items():
            command = ["service.cli", "serve", "--models", "shakespeare", "--session-store", url]
            command += ["--max-sessions", "1000000", "--max-owner-sessions", "1000000"]
            servers[name] = Server(name, [*command, "--log-level", "warning"])
            processes[name] = stack.enter_context(servers[name].running())
        for n in range(rounds):
            order = list(urls) if n % 2 else list(urls)[::-1]
            speeds = {name: asyncio.run(turns_per_s(servers[name].port, _TURN_S)) for name in order}
            found.append({name: speeds[name] for name in urls})
        idle_mb = {
            name: asyncio.run(_memory_of_idle(servers[name].port, processes[name].pid))
            for name in urls
            if name != "memory"
        }
    print("turns/s, and ratio to memory")
    return {"turns_per_s": print_ratios(found), "idle_mb": idle_mb}


async def _memory_of_idle(port: int, pid: int) -> float:
    """MB of its own that a server takes for 10,000 more sessions; some were made before."""
    await _create(port, _WARM_SESSIONS)
    before = _own_bytes(pid)
    await _create(port, IDLE_SESSIONS)
    await asyncio.sleep(1)
    return (_own_bytes(pid) - before) / 1e6


async def _create(port: int, number: int) -> None:
    left = iter(range(number))

    async def create_some() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            await _post(reader, writer, "/sessions", {"prompt": "R"})
        writer.close()

    await asyncio.gather(*(create_some() for _ in range(_CLIENTS)))


def _own_bytes(pid: int) -> int:
    """Resident, and of no file (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"RssAnon:\s*(\d+)", status)
    if found is None:
        raise RuntimeError("this system does not say how much memory a process has")
    return int(found[1]) * 1024


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A Redis as docs/sessions.md wants it; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()
