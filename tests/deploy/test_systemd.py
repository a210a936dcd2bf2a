"""deploy/systemd, as systemd itself reads it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from service.settings import ENV_PREFIX, Settings
from tests.deploy.proxies import DEPLOY, program, replaced

UNIT = DEPLOY / "systemd" / "lstm-serve@.service"
EXPOSURE = "20"  # of 100: systemd calls it OK; a unit without hardening has 96


@pytest.fixture
def unit(tmp_path: Path) -> str:
    """The path of an instance whose program is there."""
    text = UNIT.read_text(encoding="utf-8")
    there = shutil.which("true")
    text = replaced(text, r"/opt/lstm-serve/\.venv/bin/lstm-serve", str(there))
    text = replaced(text, r"WorkingDirectory=\S+", f"WorkingDirectory={tmp_path}")
    (tmp_path / UNIT.name).write_text(text, encoding="utf-8")
    return str(tmp_path / "lstm-serve@8001.service")


def test_systemd_knows_every_line(unit: str):
    """A name that it does not know, or a value that it cannot read, is a warning."""
    command = [program("systemd-analyze"), "verify", "--man=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


def test_it_may_do_nothing_that_it_need_not(unit: str):
    """By systemd's own list of what a service can do."""
    unit = unit.replace("@8001", "@")
    command = [program("systemd-analyze"), "security", "--offline=true", "--no-pager"]
    command += [f"--threshold={EXPOSURE}", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout


def test_every_variable_is_a_setting_and_the_end_has_time():
    """No stream is cut off by SIGKILL; each unit's port is its name."""
    values: dict[str, str] = {}
    seen = configparser.ConfigParser(strict=False, interpolation=None)
    seen.optionxform = str  # type: ignore[assignment, method-assign]
    seen.read_string(UNIT.read_text(encoding="utf-8"))
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if line.startswith("Environment="):
            name, _, value = line.removeprefix("Environment=").partition("=")
            values[name.removeprefix(ENV_PREFIX).lower()] = value
    settings = Settings.model_validate(values)

    assert {"model_store", "session_store", "log_format", "grace_period_s"} == set(values)
    assert settings.grace_period_s + 5 < float(seen["Service"]["TimeoutStopSec"])
    assert seen["Service"]["ExecStart"].endswith("lstm-serve serve --port %i")
