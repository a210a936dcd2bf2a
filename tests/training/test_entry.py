"""The command where only the server is installed."""

import subprocess
import sys

from tests.training.loop.test_workers import REPOSITORY

WITHOUT = """
import sys
sys.modules["torch"] = None
from training.entry import main
sys.exit(main())
"""


def test_what_is_missing_is_named() -> None:
    """Not by a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lstm-train: torch is not installed, which training needs")
    assert done.stderr.count("\n") == 1
    assert "`make training`" in done.stderr
