"""Open files: the limit is raised, what does not fit in is said, the kernel's table is made."""

import subprocess
import sys

import pytest

_PROGRAM = """
import logging, re, resource, sys
from pathlib import Path
from service.server.descriptors import connections_within_limit

logging.basicConfig(stream=sys.stderr)
soft, hard, most = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
fitting = connections_within_limit(most)
soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
[table] = re.findall(r"FDSize:\\s*(\\d+)", Path("/proc/self/status").read_text())
print(fitting, soft, table)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("soft", "hard", "most", "fitting", "table"),
    [(64, 1024, 500, 500, 580), (256, 256, 500, 176, 256), (70, 70, 500, 1, 64)],
)
def test_connections_fit_into_the_limit(soft, hard, most, fitting, table):
    """The table of open files has room for all of them before the first one comes."""
    words = [sys.executable, "-c", _PROGRAM, *map(str, (soft, hard, most))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    found_fitting, found_soft, found_table = map(int, done.stdout.split())

    assert (found_fitting, found_soft) == (fitting, hard)
    assert found_table >= table
    assert ("allows" in done.stderr) == (fitting < most)
