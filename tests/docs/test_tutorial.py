"""Every block of the tutorial does what the page says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """In an empty folder, Python and shell in turn; a server on a port that is free."""
    port = _free_port()
    script = ["import subprocess"]
    blocks = [(match[1], match[2]) for match in _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]
    for language, block in blocks:
        if language == "python":
            script.append(block.replace("8765", str(port)))
        elif language == "sh":
            script += [
                f"subprocess.run({line!r}, shell=True, check=True)" for line in block.splitlines()
            ]
    assert [language for language, _ in blocks].count("python") > 8
    (tmp_path / "page.py").write_text("\n".join(script), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PAGE.parents[1]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=280)
        finally:
            # A block that fails would leave the page's server behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output[-4000:]
    assert (tmp_path / "gradients.png").exists()
    assert (tmp_path / "model_store" / "mine" / "1" / "README.md").exists()


def _free_port() -> int:
    """One that no connection of others is given in the half minute until the page needs it."""
    for port in range(18_000, 19_000):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
