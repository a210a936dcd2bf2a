"""What to do with a model that was just published, as commands that work when pasted."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from service.artifacts.store import Artifact, ModelStore
from training.commands.arguments import MODEL_STORE
from training.config.paths import command as in_shell

_PORT = 8000
"""Where `lstm-serve serve` listens if nothing else is said."""


def next_steps(artifact: Artifact, store: ModelStore, prompt: str) -> str:
    """Lines of words and commands: let it write, serve it, ask the server.

    Args:
        artifact: What was published.
        store: Where to.
        prompt: How its texts may begin.
    """
    manifest = artifact.manifest
    is_newest = max(store.versions(manifest.name), default=0) == manifest.version
    model = manifest.name if is_newest else artifact.ref
    is_default = store.root == MODEL_STORE
    where = [] if is_default else ["--store", str(store.root)]
    begins = ["--prompt", prompt] if prompt else []
    body = {"model": model, "prompt": prompt, "max_tokens": 200, "stream": True}
    lines = {
        "let it write": [program("lstm-train"), "sample", "--model", model, *where, *begins],
        f"serve it on port {_PORT} (a server that runs there already: stop it first, as it looks "
        "into the store only when it starts)": [
            program("lstm-serve"),
            "serve",
            *([] if is_default else ["--model-store", str(store.root)]),
        ],
        "and ask the server, in another terminal": [
            "curl",
            "-N",
            f"localhost:{_PORT}/generate",
            "-H",
            "content-type: application/json",
            "-d",
            json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        ],
    }
    return "\n".join(f"{words}:\n  {in_shell(command)}" for words, command in lines.items())


def program(name: str) -> str:
    """How one of our programs is called from here: by its name, if the shell finds it.

    Else it is the one beside this Python, as in a virtual environment that is not active.
    """
    beside = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and (not beside.exists() or Path(found).resolve() == beside.resolve()):
        return name
    if not beside.exists():
        return name
    here = Path.cwd()
    if not beside.is_relative_to(here):
        return str(beside)
    path = str(beside.relative_to(here))
    return path if "/" in path else f"./{path}"
