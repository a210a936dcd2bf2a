"""What a figure was measured on."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path
from typing import Any

from service.runtime.cores import usable_cores

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""What makes small integers and bfloat16 fast."""


def describe_machine() -> dict[str, Any]:
    """The processor, and the versions of what matters."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    model = re.search(r"model name\s*: (.*)", text)
    flags = set(text.split())
    return {
        "cpu": model[1] if model else platform.processor(),
        "cores": usable_cores(),
        "features": [feature for feature in _FEATURES if feature in flags],
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in ("lstm-serve", "onnxruntime", "torch", "uvicorn")},
    }


def headline(machine: dict[str, Any]) -> str:
    """The same in two lines."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {', '.join(machine['features'])}\n{versions}"
    )


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "none"
