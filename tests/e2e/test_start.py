"""What a server says and does before and when it starts."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.running_server import PLAIN, REPOSITORY, RunningServer, running_server
from tests.e2e.test_lifecycle import lstm_serve
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_the_greeting_names_the_port_that_is_bound(store: Path, tmp_path: Path):
    """And its example can be sent as it stands."""
    said = tmp_path / "said"
    words = ["serve", "--port", "0", "--model-store", str(store), "--host", "localhost"]
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", *words], cwd=REPOSITORY, stdout=output
        )
    try:
        wait_for(lambda: "curl" in said.read_text("utf-8"), "a greeting")
        greeting = said.read_text("utf-8")
        [url] = re.findall(r"^  (http://localhost:\d+)/$", greeting, re.M)
        command = shlex.split(greeting.splitlines()[2])
        assert ["curl", "-N", f"{url}/generate"] == command[:3]
        name, _, value = command[4].partition(": ")
        body = command[6]
        answer = httpx.post(command[2], content=body, headers={name: value}, verify=PLAIN)

        assert 200 == answer.status_code
        assert json.loads(body)["prompt"] == ""  # the tiny model was trained on nothing
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("host", ["taken", "192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_cannot_be_had_is_one_line(server: RunningServer, store: Path, host: str):
    """With host and port, on standard error; nothing else is said, and the exit status is 1."""
    host = "127.0.0.1" if host == "taken" else host
    port = str(server.port)
    result = lstm_serve("serve", "--host", host, "--port", port, "--model-store", str(store))

    assert (1, "") == (result.returncode, result.stdout)
    assert result.stderr.startswith(f"lstm-serve: cannot listen on {host}:{port}: ")
    assert 1 == result.stderr.count("\n")


def caught_signals(pid: int) -> set[int]:
    """Signals that a process has a handler for."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    [mask] = re.findall(r"^SigCgt:\s*(\w+)$", status, re.M)
    return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}


def has_loaded(pid: int, library: str) -> bool:
    """Whether a process has a library mapped."""
    return library in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")


def starting(tmp_path: Path, *before: str) -> subprocess.Popen[bytes]:
    """A server that will load the bundled models for seconds."""
    words = [*before, sys.executable, "-m", "service.cli", "serve", "--port", "0"]
    with (tmp_path / "said").open("wb") as output:
        return subprocess.Popen(words, cwd=REPOSITORY, stdout=output, stderr=output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("library", ["", "onnxruntime"])
def test_a_signal_while_models_load_ends_it_at_once(
    tmp_path: Path, number: signal.Signals, library: str
):
    """Without a word, as it would end any other program."""
    process = starting(tmp_path)
    try:
        # Python has a handler of its own for SIGINT; ours comes together with that for SIGTERM.
        wait_for(lambda: signal.SIGTERM in caught_signals(process.pid), "a handler")
        wait_for(lambda: has_loaded(process.pid, library), f"{library} in memory")
        process.send_signal(number)

        assert 128 + number == process.wait(60)
        assert "" == (tmp_path / "said").read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode != 0,
    reason="needs the right to make a namespace",
)
def test_process_1_can_be_ended_while_models_load(tmp_path: Path):
    """The kernel keeps from process 1 of a container whatever it has no handler for."""
    unshare = starting(tmp_path, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
    try:
        wait_for(lambda: children.read_text(encoding="ascii").split(), "process 1")
        [pid] = (int(word) for word in children.read_text(encoding="ascii").split())
        wait_for(lambda: has_loaded(pid, "onnxruntime"), "a server that loads models")
        os.kill(pid, signal.SIGTERM)

        assert 143 == unshare.wait(60)
        assert "" == (tmp_path / "said").read_text(encoding="utf-8")
    finally:
        unshare.kill()
        unshare.wait()


@pytest.mark.parametrize("value", ["4", "abc", ""])
def test_variables_of_other_servers_are_ignored(store: Path, tmp_path: Path, value: str):
    """Uvicorn reads this one."""
    with running_server(store, tmp_path, environment={"WEB_CONCURRENCY": value}) as server:
        assert 200 == httpx.get(f"{server.url}/health/ready", verify=PLAIN).status_code
        server.terminate()
        assert 0 == server.process.wait(30)
    assert "WEB_CONCURRENCY" not in server.log.read_text(encoding="utf-8")


def test_the_console_script_begins_where_signals_are_caught():
    """Before anything that takes its time is imported."""
    program = (
        "import signal, sys\n"
        "from service.entry import main\n"
        "assert 'pydantic' not in sys.modules\n"
        "sys.argv = ['lstm-serve', '--version']\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    assert callable(signal.getsignal(signal.SIGTERM))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )

    assert ran.stdout.startswith("lstm-serve ")
    assert 'lstm-serve = "service.entry:main"' in (REPOSITORY / "pyproject.toml").read_text("utf-8")


def traces(folder: Path) -> dict[str, tuple[int, ...]]:
    """Of everything in a folder what a write would change; of folders, too, what was there once."""
    found = {str(path.relative_to(folder)): path.lstat() for path in (folder, *folder.rglob("*"))}
    return {
        name: (each.st_mode, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns)
        for name, each in found.items()
    }


def test_a_server_writes_nothing_into_the_store(store: Path, tmp_path: Path):
    """So the store may be read-only, and somebody else's: whatever is served, until the end."""
    own = Path(shutil.copytree(store, tmp_path / "store"))
    folders = [own, *(path for path in own.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        before = traces(own)
        with running_server(own, tmp_path, constrained_output=True, reload_every_s=0.1) as server:
            assert 200 == httpx.post(f"{server.url}/generate", json={"max_tokens": 3}).status_code
            held = {"max_tokens": 3, "regex": "[ab]+"}
            assert 200 == httpx.post(f"{server.url}/generate", json=held).status_code
            looked = httpx.post(f"{server.url}/inspect", json={"text": "ab"})
            assert 200 == looked.status_code, looked.text
            server.terminate()
            assert 0 == server.process.wait(30)

        assert before == traces(own)
    finally:
        for folder in folders:
            folder.chmod(0o755)
