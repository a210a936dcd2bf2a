"""The machine: its processor, its memory, what the process may open, and the port."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import httpx

from service.commands.doctor.finding import Finding
from service.commands.healthcheck import reachable
from service.runtime.cores import usable_cores
from service.server.connections import RESERVE
from service.server.listening import CannotListen, bound
from service.settings import Settings

_FEATURES = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "AMX": ("amx_int8",),
}
_OWN_FILES = 64
_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


def processor(proc: Path = _PROC, cgroup: Path = _CGROUP) -> Iterator[Finding]:
    """Its instructions, as far as int8 models gain from them, and its cores."""
    flags = _flags(proc / "cpuinfo")
    has = [name for name, names in _FEATURES.items() if flags & set(names)]
    if not flags & {"avx2", "fp", "asimd"}:
        advice = "int8 models take several times as long; another machine type has AVX2"
        yield Finding("processor", "note", "no AVX2 that is known of", advice)
    else:
        lacks = [name for name in _FEATURES if name not in has] if "avx2" in flags else []
        without = f"; without {', '.join(lacks)}" if lacks else ""
        yield Finding("processor", "ok", (", ".join(has) or "ARM") + without)
    num = usable_cores(cgroup / "cpu.max")
    all_ = os.cpu_count() or num
    limited = f" of {all_}: the rest is not for this process" if num < all_ else ""
    cores = "1 core" if num == 1 else f"{num} cores"
    yield Finding("cores", "ok", f"{cores}{limited}")


def memory(needed: int, caches: int, available: int | None, num_models: int) -> Iterator[Finding]:
    """Whether the models have room.

    Args:
        needed: Bytes that a process takes which has loaded them all.
        caches: Bytes that their prefix caches may grow to.
        available: Bytes that there are; None: nobody knows.
        num_models: Of the models.
    """
    takes = f"{num_models} models take {_mb(needed)}, and up to {_mb(caches)} for prompts"
    if available is None:
        advice = "compare it with the machine's by hand"
        yield Finding("memory", "note", f"{takes}; how much there is, nobody says", advice)
    elif needed > available:
        advice = "serve fewer (LSTM_SERVE_MODELS), or give the machine or container more"
        yield Finding("memory", "fix", f"{takes}; there are {_mb(available)}", advice)
    elif needed + caches > available:
        advice = "LSTM_SERVE_PREFIX_CACHE_BYTES bounds what each model keeps of prompts"
        yield Finding("memory", "note", f"{takes}; there are {_mb(available)}", advice)
    else:
        yield Finding("memory", "ok", f"{takes}; there are {_mb(available)}")


def descriptors(settings: Settings) -> Iterator[Finding]:
    """Whether every connection can have its file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + RESERVE + _OWN_FILES
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        said = "any number of" if hard == resource.RLIM_INFINITY else str(hard)
        yield Finding("files", "ok", f"{said} open files, and {wanted} are enough")
        return
    advice = "raise it: ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of docker"
    message = f"the limit of {hard} open files allows {hard - RESERVE - _OWN_FILES} connections"
    yield Finding("files", "note", f"{message}, not {settings.max_connections}", advice)


def port(settings: Settings) -> Iterator[Finding]:
    """Whether a server could listen."""
    place = f"{settings.host}:{settings.port}"
    try:
        with bound(settings.host, settings.port):
            yield Finding("port", "ok", f"{place} is free")
    except CannotListen as error:
        if _is_ours(settings):
            yield Finding("port", "ok", f"an lstm-serve listens on {place} already")
            return
        advice = "set LSTM_SERVE_PORT or LSTM_SERVE_HOST, or end what listens there"
        yield Finding("port", "fix", str(error), advice)


def _is_ours(settings: Settings) -> bool:
    try:
        with httpx.Client(trust_env=False, timeout=2) as client:
            url = f"http://{reachable(settings.host)}:{settings.port}/health/live"
            report = client.get(url).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False
    return isinstance(report, dict) and {"status", "models", "broken"} <= report.keys()


def _flags(cpuinfo: Path) -> set[str]:
    for line in _read(cpuinfo).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def _read(path: Path) -> str:
    """What the system says; nothing where it does not say it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _mb(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"
