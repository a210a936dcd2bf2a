"""What `lstm-serve serve` imports: all of it is paid at each start, and in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_it_imports_nothing_that_few_servers_need():
    """No client, nothing of capsules, of chats, of Redis or of constraints."""
    program = (
        "import sys\n"
        "import service.cli, service.app, service.server.connection\n"
        "rare = {'httpx', 'service.client', 'cryptography', 'jinja2', 'redis', 'outlines_core'}\n"
        "print(sorted(rare & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )

    assert "[]\n" == done.stdout
