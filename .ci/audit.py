"""Known vulnerabilities of what constraints.txt pins, by one question to osv.dev.

Exit status 1 if there are any. Where nobody answers within 15 s, one line says so, and it is 0: a
machine without the internet can still run the checks.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

URL = "https://api.osv.dev/v1/querybatch"
_TIMEOUT_S = 15
_MAX_BYTES = 16 << 20


def main() -> int:
    """Ask, tell, and give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--constraints", type=Path, default=Path("constraints.txt"))
    parser.add_argument("--url", default=URL, help="of OSV's querybatch")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID")
    options = parser.parse_args()
    pinned = pins(options.constraints.read_text(encoding="utf-8"))
    try:
        found = vulnerabilities(pinned, options.url)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return _say(f"audit skipped: {options.url} does not answer: {error}", 0)
    bad = [f"{pin}: {each}" for pin, ids in found for each in ids if each not in options.ignore]
    if bad:
        return _say("\n".join(["known vulnerabilities:", *bad]), 1)
    return _say(f"{len(pinned)} packages, no known vulnerability", 0)


def pins(constraints: str) -> list[tuple[str, str]]:
    """Name and version of each line that pins one."""
    return re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", constraints, re.MULTILINE)


def vulnerabilities(pinned: list[tuple[str, str]], url: str) -> list[tuple[str, list[str]]]:
    """For each package the ids of what is known of it.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: Nobody answers as OSV does.
    """
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
        for name, version in pinned
    ]
    request = urllib.request.Request(
        url,
        json.dumps({"queries": queries}).encode(),
        {"content-type": "application/json", "user-agent": "lstm-serve-audit"},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        results: list[dict[str, Any]] = json.loads(response.read(_MAX_BYTES))["results"]
    return [
        (f"{name} {version}", [vulnerability["id"] for vulnerability in result.get("vulns") or []])
        for (name, version), result in zip(pinned, results, strict=True)
    ]


def _say(text: str, status: int) -> int:
    sys.stdout.write(text + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
