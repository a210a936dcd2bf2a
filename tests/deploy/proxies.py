"""Real nginx and Caddy with the configurations of deploy/, where they are installed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.waiting import wait_for

DEPLOY = Path(__file__).parents[2] / "deploy"
_FOLDERS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


class Proxy(Protocol):
    """What runs one before replicas at these ports of 127.0.0.1, and gives its URL."""

    def __call__(self, folder: Path, *ports: int) -> AbstractContextManager[str]:
        """Run it in a folder of its own."""


def program(name: str) -> str:
    """The path of a program of the system; the test is skipped where it is missing."""
    found = shutil.which(name, path=_FOLDERS)
    if found is None:
        pytest.skip(f"there is no {name} (apt install {name}, or make system-packages)")
    return found


def free_port() -> int:
    """One that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def replaced(text: str, pattern: str, by: str) -> str:
    """`text` with what `pattern` finds replaced; it has to be there."""
    text, count = re.subn(pattern, by, text)
    assert count, f"nothing is like {pattern}"
    return text


def nginx_folder(folder: Path, port: int, replicas: str) -> Path:
    """The configuration of deploy/nginx, with another port, other replicas and a folder of its own.

    Args:
        folder: Instead of /tmp.
        port: Instead of 8080.
        replicas: What replicas.conf says.
    """
    conf = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    conf = replaced(conf, r"listen 8080", f"listen 127.0.0.1:{port}")
    conf = replaced(conf, r"/tmp/", f"{folder}/")
    (folder / "nginx.conf").write_text(conf, encoding="utf-8")
    (folder / "replicas.conf").write_text(replicas, encoding="utf-8")
    return folder / "nginx.conf"


def on_hosts(*ports: int) -> str:
    """replicas.hosts.conf with these ports of 127.0.0.1."""
    text = (DEPLOY / "nginx" / "replicas.hosts.conf").read_text(encoding="utf-8")
    [first, *_] = re.findall(r" *server 127\.0\.0\.1:8001 .*\n", text)
    servers = "".join(first.replace("8001", str(port)) for port in ports)
    return replaced(text, r"( *server 127\.0\.0\.1:800\d .*\n)+", servers)


@contextmanager
def nginx(folder: Path, *ports: int) -> Iterator[str]:
    """Run nginx before these replicas; gives its URL."""
    port = free_port()
    conf = nginx_folder(folder, port, on_hosts(*ports))
    # A master that is root gives its workers away to nobody, who may not enter the test's folder.
    main = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    yield from _running([program("nginx"), "-c", str(conf), "-g", main], folder, port)


@contextmanager
def caddy(folder: Path, *ports: int) -> Iterator[str]:
    """Run Caddy before these replicas; gives its URL."""
    port = free_port()
    conf = (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    conf = replaced(conf, r"(?m)^:8080 \{", f":{port} {{\n\tbind 127.0.0.1")
    servers = " ".join(f"127.0.0.1:{each}" for each in ports)
    conf = replaced(conf, r"127\.0\.0\.1:8001 .*:8003", servers)
    (folder / "Caddyfile").write_text(conf, encoding="utf-8")
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", "Caddyfile"]
    yield from _running(command, folder, port)


def _running(command: list[str], folder: Path, port: int) -> Iterator[str]:
    log = folder / "proxy.log"
    # Caddy writes its last configuration into the home folder.
    homes = dict.fromkeys(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"], str(folder))
    variables = os.environ | homes
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output)
    try:
        wait_for(lambda: _answers(process, port, log), "a proxy that listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(log.read_text(encoding="utf-8"))
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
