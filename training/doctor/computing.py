"""Does it compute: a tiny training step, an export, and a run of what was exported."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import torch

from service import __version__
from training.config.model import ModelConfig
from training.doctor.finding import Finding, State
from training.errors import PrecisionError
from training.export.parity import check_parity
from training.export.quantisation import quantise
from training.export.step_graph import able_to_write, export_step, metadata_of
from training.models.build import build_model
from training.models.precision import resolve_precision
from training.served.reader import StepReader

_TINY = ModelConfig(hidden_size=16, num_layers=2, embedding_size=8)
_VOCABULARY = 20
_OLDEST = (3, 11)
_LITTLE_MEMORY = 2 << 30
_AVAILABLE = "MemAvailable:"
_OPTIONAL = {
    "opencc": "cleaning.simplified_chinese needs it: pip install opencc",
    "warcio": "corpus.format = 'wet' needs it: pip install warcio",
    "optuna": "`lstm-train sweep` needs it: pip install optuna",
    "matplotlib": "pictures and publishing need it: pip install matplotlib",
    "tensorboard": "--tensorboard needs it: pip install 'lstm-serve[tensorboard]'",
}
_NEEDED = ("matplotlib",)


def versions() -> Iterator[Finding]:
    """Of the program and of Python."""
    yield Finding("lstm-serve", State.OK, __version__)
    is_known = sys.version_info >= _OLDEST
    words = f"{platform.python_version()} on {platform.platform()}"
    cure = "" if is_known else "; 3.11 or newer is needed"
    yield Finding("Python", State.OK if is_known else State.BROKEN, words + cure)


def training() -> Iterator[Finding]:
    """One step in torch: forward, backward, and the weights move."""
    torch.manual_seed(1)
    model = build_model(_TINY, _VOCABULARY)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    ids = torch.arange(24).reshape(8, 3) % _VOCABULARY
    losses = []
    for _ in range(3):
        loss = model.read(ids, ids, model.zero_state(3)).nats_TB.mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    words = f"{torch.__version__}: three steps, loss {losses[0]:.3f} to {losses[-1]:.3f}"
    if losses[-1] < losses[0]:
        yield Finding("torch", State.OK, words)
    else:
        yield Finding("torch", State.BROKEN, f"{words}, which should fall: install torch anew")


def exporting() -> Iterator[Finding]:
    """A step graph, the same in torch and onnxruntime; and its int8 form runs."""
    torch.manual_seed(1)
    model = able_to_write(build_model(_TINY, _VOCABULARY))
    graph = export_step(model, metadata_of(_TINY, "doctor", __version__))
    parity = check_parity(model, graph, tolerance=5e-4, seed=1)
    reader = StepReader.of_graph(quantise(graph))
    ids = torch.zeros((2, 1), dtype=torch.int64)
    reader.read(ids, ids, reader.zero_state(1))
    yield Finding(
        "onnxruntime",
        State.OK,
        f"{onnxruntime_version()}: runs an exported graph in float32 and int8; torch differs by "
        f"at most {parity.max_logit_difference:.0e}",
    )


def onnxruntime_version() -> str:
    """As it is installed."""
    return metadata.version("onnxruntime")


def number_formats() -> Iterator[Finding]:
    """What `training.precision = "auto"` takes here."""
    chosen = resolve_precision("auto")
    has = {
        "AVX2": torch.cpu._is_avx2_supported(),
        "AVX512": torch.cpu._is_avx512_supported(),
        "AVX512 bfloat16": torch.cpu._is_avx512_bf16_supported(),
        "AMX": torch.cpu._is_amx_tile_supported(),
    }
    listed = ", ".join(name for name, is_there in has.items() if is_there) or "none of AVX2 and up"
    try:
        resolve_precision("bfloat16")
        works = "bfloat16 works"
    except PrecisionError:
        works = "bfloat16 does not work"
    words = f"precision = 'auto' takes {chosen}; {works}; instructions: {listed}"
    yield Finding("numbers", State.OK, words)


def threads() -> Iterator[Finding]:
    """How many cores, and how busy they are."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    number = torch.get_num_threads()
    words = f"{number} for {usable} usable cores"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if usable and number > usable:
        yield Finding("threads", State.NOTE, f"{words}: more than cores is slow, say --threads")
    elif usable and load > usable:
        words = f"{words}; the load is {load:.1f}: other programs slow a training down"
        yield Finding("threads", State.NOTE, words)
    else:
        yield Finding("threads", State.OK, words)


def memory() -> Iterator[Finding]:
    """What is free, as Linux and a container's bound say."""
    free = available_memory()
    if free is None:
        yield Finding("memory", State.NOTE, "this system does not say how much is free")
    elif free < _LITTLE_MEMORY:
        words = f"{free / 2**30:.1f} GiB free: take a small model, or end other programs"
        yield Finding("memory", State.NOTE, words)
    else:
        yield Finding("memory", State.OK, f"{free / 2**30:.1f} GiB free")


def available_memory() -> int | None:
    """In bytes; None where nobody says."""
    found: list[int] = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.extend(int(line.split()[1]) << 10 for line in lines if line.startswith(_AVAILABLE))
        group = Path("/sys/fs/cgroup")
        bound = (group / "memory.max").read_text(encoding="ascii").strip()
        if bound != "max":
            used = (group / "memory.current").read_text(encoding="ascii")
            found.append(int(bound) - int(used))
    except (OSError, ValueError):
        pass  # another system, or a container without such files
    return max(0, min(found)) if found else None


def optional_parts() -> Iterator[Finding]:
    """Libraries that only some need."""
    for name, cure in _OPTIONAL.items():
        state = State.BROKEN if name in _NEEDED else State.NOTE
        try:
            importlib.import_module(name)
            yield Finding(name, State.OK, metadata.version(name))
        except (ModuleNotFoundError, metadata.PackageNotFoundError):
            yield Finding(name, state, f"is not installed; {cure}")
        except (ImportError, OSError) as error:
            yield Finding(name, state, f"cannot be loaded ({error}); {cure}")
