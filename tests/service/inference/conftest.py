import asyncio

import pytest

from service.artifacts.store import ModelStore
from service.artifacts.tokenizer import Tokenizer
from service.engine.worker import Engine
from service.inference.start import Inference
from service.models.inside import Inside
from service.models.registry import ModelRegistry, ServedModel
from service.patterns.compiler import PatternCompiler
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.step import StepGraph
from service.sessions.sqlite.store import SqliteSessionStore
from tests import tiny_model
from tests.service.inference.texts import live_models
from tests.service.limits import engine_limits, request_limits, session_limits


@pytest.fixture
def served(tmp_path):
    """Tiny models in engines of their own; "pairs" has tokens of two letters, "bytes" half ones."""
    tokenizers = {
        "pairs": tiny_model.pair_tokenizer_json(),
        "bytes": tiny_model.byte_tokenizer_json(),
    }
    served = []
    for seed, name in enumerate(["tiny", "other", "pairs", "bytes"]):
        tokenizer_json = tokenizers.get(name)
        folder = tiny_model.publish(tmp_path, name, seed=seed, tokenizer=tokenizer_json)
        artifact = ModelStore(tmp_path).verify(name, 1)
        decoder = StepwiseDecoder(
            StepGraph(artifact.read("model.onnx")),
            capacity=4,
            never_drawn=[tiny_model.VOCABULARY_SIZE - 1],
        )
        tokenizer = Tokenizer(
            folder / "tokenizer.json",
            artifact.read("tokenizer.json"),
            tiny_model.VOCABULARY_SIZE,
        )
        engine = Engine(name, [decoder], engine_limits())
        served.append(ServedModel(artifact.manifest, tokenizer, engine, Inside(artifact)))
    return served


@pytest.fixture
async def inference(served, tmp_path):
    """The use cases, with the engines running."""
    for model in served:
        model.engine.start()
    yield Inference(
        live_models(ModelRegistry(served, "tiny", {}), tmp_path),
        await asyncio.to_thread(SqliteSessionStore, None, session_limits(checkpoint_every=16)),
        request_limits(max_tokens=500, max_prompt_tokens=50, max_timeout_s=60, checkpoint_every=16),
        compiler=PatternCompiler(timeout_s=30, max_entries=8),
    )
    for model in served:
        await model.engine.stop()
