"""A published model of random weights, made without torch: for tests of the service."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from service.artifacts.chat import ChatTemplate
from service.artifacts.cleaning import Cleaning
from service.artifacts.manifest import (
    MANIFEST_FILE,
    Corpus,
    FileEntry,
    Manifest,
    Parity,
    Provenance,
    SpecialIds,
    StateTensor,
)
from service.artifacts.store import ModelStore

CHARACTERS = "\n !',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzé中"
JSON_CHARACTERS = "".join(
    dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", '{}[]"0123456789_/+()=@#*&%', strict=True)).get(c, c)
    for c in CHARACTERS
)
"""As many, with which JSON can be written."""
UNKNOWN = "<unk>"
VOCABULARY_SIZE = len(CHARACTERS) + 1
WIDTH = 16


def step_graph(
    *, width: int = WIDTH, vocabulary_size: int = VOCABULARY_SIZE, seed: int = 0
) -> bytes:
    """One LSTM cell as a step graph (Hochreiter & Schmidhuber 1997), with random weights."""
    random = np.random.default_rng(seed)
    weights = {
        "table": random.normal(0, 0.8, (vocabulary_size, 4 * width)),
        "recurrent": random.normal(0, 0.5, (width, 4 * width)),
        "output": random.normal(0, 1.5, (width, vocabulary_size)),
    }
    nodes = [
        helper.make_node("Gather", ["table", "token"], ["read"]),
        helper.make_node("MatMul", ["state.h", "recurrent"], ["recalled"]),
        helper.make_node("Add", ["read", "recalled"], ["gates"]),
        helper.make_node("Split", ["gates"], ["i", "f", "g", "o"], axis=1, num_outputs=4),
        *(helper.make_node("Sigmoid", [gate], [f"{gate}_open"]) for gate in "ifo"),
        helper.make_node("Tanh", ["g"], ["candidate"]),
        helper.make_node("Mul", ["f_open", "state.c"], ["kept"]),
        helper.make_node("Mul", ["i_open", "candidate"], ["added"]),
        helper.make_node("Add", ["kept", "added"], ["next_state.c"]),
        helper.make_node("Tanh", ["next_state.c"], ["squashed"]),
        helper.make_node("Mul", ["o_open", "squashed"], ["next_state.h"]),
        helper.make_node("MatMul", ["next_state.h", "output"], ["logits"]),
    ]

    def value(name: str, element_type: int, *tail: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, element_type, ["B", *tail])

    graph = helper.make_graph(
        nodes,
        "step",
        [
            value("token", TensorProto.INT64),
            value("state.h", TensorProto.FLOAT, width),
            value("state.c", TensorProto.FLOAT, width),
        ],
        [
            value("logits", TensorProto.FLOAT, vocabulary_size),
            value("next_state.h", TensorProto.FLOAT, width),
            value("next_state.c", TensorProto.FLOAT, width),
        ],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tokenizer_json(characters: str = CHARACTERS) -> bytes:
    """Characters, and `<unk>` for all others."""
    vocabulary = {character: n for n, character in enumerate(characters)}
    vocabulary[UNKNOWN] = len(characters)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.add_special_tokens([AddedToken(UNKNOWN, special=True, normalized=False)])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer.to_str().encode()


def pair_tokenizer_json() -> bytes:
    """Of the same size, with a pair of small letters in place of each capital."""
    small = [c for c in CHARACTERS if c.islower() and c.isascii()]
    pairs = [(a, b) for a, b in zip(small, small[::-1], strict=True)]
    rest = [c for c in CHARACTERS if not c.isupper()]
    vocabulary = {text: n for n, text in enumerate([*rest, *(a + b for a, b in pairs), UNKNOWN])}
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, unk_token=UNKNOWN))
    tokenizer.add_special_tokens([AddedToken(UNKNOWN, special=True, normalized=False)])
    tokenizer.decoder = decoders.Fuse()
    return tokenizer.to_str().encode()


def byte_tokenizer_json() -> bytes:
    """Of the same size: bytes, of which the last two may be the beginning of a character."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ascii_and_half = "".join(c for c in CHARACTERS if c.isascii()) + "中"
    [(signs, _)] = level.pre_tokenize_str(ascii_and_half)
    vocabulary = {sign: n for n, sign in enumerate([*signs[:-1], UNKNOWN])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.add_special_tokens([AddedToken(UNKNOWN, special=True, normalized=False)])
    tokenizer.pre_tokenizer = level
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer.to_str().encode()


def publish(
    root: Path,
    name: str = "tiny",
    version: int = 1,
    *,
    end: str | None = None,
    start_before_prompt: bool = False,
    seed: int = 0,
    tokenizer: bytes | None = None,
    graph: bytes | None = None,
    documents: Mapping[str, str] | None = None,
    created_at: str = "2026-01-01T00:00:00Z",
    cleaning: Cleaning | None = None,
    chat_template: ChatTemplate | None = None,
) -> Path:
    """Publish a tiny model into the store at `root`; returns its folder."""
    files = {
        "model.onnx": graph or step_graph(seed=seed),
        "tokenizer.json": tokenizer or tokenizer_json(),
        **{file: text.encode() for file, text in (documents or {}).items()},
    }
    manifest = Manifest(
        name=name,
        version=version,
        description="Random weights, for tests.",
        architecture="lstm",
        sizes={"hidden": WIDTH, "layers": 1},
        precision="float32",
        vocabulary_size=VOCABULARY_SIZE,
        state=(StateTensor(name="h", width=WIDTH), StateTensor(name="c", width=WIDTH)),
        special_ids=SpecialIds(
            start=0,
            end=CHARACTERS.index(end) if end else None,
            unknown=len(CHARACTERS),
            start_before_prompt=start_before_prompt,
        ),
        cleaning=cleaning or Cleaning(),
        files={
            file: FileEntry(sha256=hashlib.sha256(content).hexdigest(), num_bytes=len(content))
            for file, content in files.items()
        },
        provenance=Provenance(
            corpus=Corpus(name="none", source="none", sha256="0" * 64, num_characters=1),
            config={},
            seed=seed,
            code_version="test",
            torch_version="none",
            num_parameters=1,
            num_steps=0,
            wall_time_s=0,
            created_at=created_at,
        ),
        evaluations=(),
        chat_template=chat_template,
        parity=Parity(
            batch_sizes=(1,),
            num_steps=1,
            max_logit_difference=0,
            max_state_difference=0,
            tolerance=0,
        ),
    )
    with ModelStore(root).publishing(name, version) as folder:
        for file, content in files.items():
            (folder / file).write_bytes(content)
        (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return root / name / str(version)
