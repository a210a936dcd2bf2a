"""What a model of items invents, counted."""

from __future__ import annotations

from pathlib import Path

from service.artifacts.store import ModelStore
from service.runtime.sampling import Sampling
from tests.tiny_model import publish
from training.cli import main
from training.corpora.corpus import Texts
from training.served.inventions import inventions
from training.served.step_model import StepModel


def test_texts_are_counted_as_they_are_written(tmp_path: Path) -> None:
    """Too long, empty, known and repeated ones apart; against a count by hand."""
    publish(tmp_path, end="e", start_before_prompt=True)
    model = StepModel.of_artifact(ModelStore(tmp_path).verify("tiny", 1))
    samplings = [Sampling(seed=seed, temperature=1.0) for seed in range(1000)]
    written = model.write("", 200, samplings)
    lengths = sorted(map(len, written))
    longest = lengths[len(lengths) * 3 // 4]
    assert 0 < longest < lengths[-1], "some must be too long"
    known = next(text for text in written if len(text) == longest)
    trained_on = [known, "never written"[:longest], "x"]

    found = inventions(model, Texts(lambda: iter(trained_on), 0, 1 << 20), temperature=1.0)

    right = [text for text in written if 0 < len(text) <= longest]
    assert found.num_texts == 1000
    assert found.num_trained_on == 3
    assert found.well_formed == len(right) / 1000
    assert found.new == sum(text != known for text in right) / 1000 < found.well_formed
    assert found.distinct == len(set(right)) / 1000


def test_known_texts_are_known_as_they_are_written(tmp_path: Path) -> None:
    """A model of words writes one space where the text had two."""
    config = tmp_path / "names.toml"
    items = [f"{one}  {two}" for one in ("red", "green") for two in ("lamp", "river", "bird")]
    (tmp_path / "items.txt").write_text("\n".join(items * 150), encoding="utf-8")
    config.write_text(
        """
        name = "words"
        corpus = { path = "items.txt", items = "lines" }
        tokenizer = { kind = "word" }
        model = { hidden_size = 16, num_layers = 1, embedding_size = 8 }
        training = { epochs = 2, batch_size = 4, window = 16, learning_rate = 0.03 }
        """,
        encoding="utf-8",
    )
    store = tmp_path / "store"
    run = ["run", str(config), "--store", str(store), "--run-dir", str(tmp_path / "run")]
    assert main(run) == 0
    found = ModelStore(store).verify("words", 1).manifest.inventions
    assert found is not None
    assert found.well_formed > 0.9
    assert found.new < 0.1, "there are but six texts, and it has seen them all"
    assert found.num_trained_on > 700
