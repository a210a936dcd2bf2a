"""`lstm-serve healthcheck` runs every few seconds, for as long as the server does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_it_imports_no_server():
    """Nor numpy, a runtime, or cryptography: whatever takes long."""
    program = (
        "import sys\n"
        "from service.cli import main\n"
        "assert main(['healthcheck', '--port', '1']) == 1\n"
        "slow = {'fastapi', 'uvicorn', 'numpy', 'onnx', 'onnxruntime', 'tokenizers',"
        " 'cryptography'}\n"
        "print(sorted(slow & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )

    assert "[]\n" == done.stdout
