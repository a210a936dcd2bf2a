"""Triton Inference Server as a peer: an environment with `nvidia-pytriton`, and a server in it.

Triton's Python backend brings an interpreter of its own and takes the standard library of the one
that runs it. It starts with Python 3.11.2, Debian 12's own, and does not with 3.11.7
(`'_thread.RLock' object has no attribute '_recursion_count'`, in its log): `base` is the one that
makes the environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.contestants import Served, Server
from benchmarks.load import Ask
from service.artifacts.store import Artifact
from service.artifacts.tokenizer import Tokenizer

TRITON = "Triton, decoupled, a run per token"
_PACKAGES = ("nvidia-pytriton==0.7.0", "onnxruntime")
_SERVER = Path(__file__).with_name("triton_server.py")
_MODEL = "lstm"


def environment(folder: Path, base: str = sys.executable) -> Path:
    """The interpreter of an environment with Triton, made in `folder` unless it is there.

    Args:
        folder: Of the environment.
        base: The interpreter that makes it.

    Raises:
        RuntimeError: pip could not install it; the message ends with what pip said.
    """
    python = folder / "bin" / "python"
    if not python.exists() or _fails([python, "-c", "import pytriton.triton, onnxruntime"]):
        folder.mkdir(parents=True, exist_ok=True)
        said = _fails([base, "-m", "venv", folder])
        said = said or _fails([python, "-m", "pip", "install", "--quiet", *_PACKAGES])
        said = said or _fails([python, "-c", "import pytriton.triton, onnxruntime"])
        if said:
            raise RuntimeError(
                f"--triton: {', '.join(_PACKAGES)} cannot be installed in {folder}:\n{said}"
            )
    return python


def _fails(command: list[str | Path]) -> str | None:
    """The last lines that a program said, if it fails."""
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode == 0:
        return None
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return "\n".join(lines[-8:]) or f"it ended with exit code {done.returncode}"


def triton(artifact: Artifact, ask: Ask, folder: Path, base: str = sys.executable) -> Served:
    """Triton with the graph of a published model of characters.

    Args:
        artifact: The model.
        ask: What each request asks for.
        folder: Of its environment.
        base: See `environment`.

    Raises:
        RuntimeError: See `environment`.
    """
    python, manifest = environment(folder, base), artifact.manifest
    tokenizer = Tokenizer(
        artifact.folder / manifest.tokenizer_file,
        artifact.read(manifest.tokenizer_file),
        manifest.vocabulary_size,
    )
    alphabet = folder / "alphabet.json"
    texts = [tokenizer.decode([n]) for n in range(manifest.vocabulary_size)]
    alphabet.write_text(json.dumps(texts), encoding="utf-8")
    command = [str(_SERVER), "--graph", str(artifact.folder / manifest.model_file)]
    server = Server(
        TRITON,
        [*command, "--alphabet", str(alphabet), "--folder", str(folder / "served")],
        launcher=(str(python),),
        ready_path=f"/v2/models/{_MODEL}/ready",
    )
    return Served(TRITON, server, replace(ask, path=f"/v2/models/{_MODEL}/generate_stream"))
