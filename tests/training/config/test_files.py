"""Configs: checked field by field, nothing ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.config.files import load_config, parse_config, with_overrides
from training.config.train import TrainConfig
from training.errors import ConfigError
from training.tuning.sweep_space import Sweep

CONFIGS = Path(__file__).parents[3] / "training" / "configs"
MINIMAL = 'name = "m"\n[corpus]\npath = "t.txt"\n'


def load(folder: Path, text: str) -> TrainConfig:
    """The config of a file with this content."""
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_published_configs_are_valid() -> None:
    """One file = one published model, of the same name."""
    paths = list(CONFIGS.glob("*.toml"))
    assert paths
    for path in paths:
        assert load_config(path).name == path.stem
    for path in CONFIGS.glob("sweeps/*.toml"):
        assert Sweep.load(path).base.name == path.stem


def test_a_manifest_holds_its_config() -> None:
    """What a published model was trained by; or why it cannot be read."""
    [manifest, *_] = sorted((CONFIGS.parents[1] / "model_store" / "names").glob("*/manifest.json"))
    assert load_config(manifest) == load_config(CONFIGS / "names.toml")
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        load_config(CONFIGS / "manifest.json")


def test_paths_are_relative_to_the_config(tmp_path: Path) -> None:
    """Not to wherever the command was typed."""
    assert load(tmp_path, MINIMAL).corpus.path == str(tmp_path / "t.txt")
    config = load(
        tmp_path,
        MINIMAL
        + 'items = "lines"\n[vectors]\npath = "../v"\nformat = "glove"\ntrainable = false\n',
    )
    assert config.corpus.items == "lines"
    assert config.vectors is not None
    assert config.vectors.path == str(tmp_path.parent / "v")
    assert not config.vectors.trainable


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (MINIMAL + "[training]\nepoch = 3\n", r"training\.epoch: did you mean epochs\?"),
        (MINIMAL + "[training]\nepochs = 0\n", r"training\.epochs: .*greater than or equal to 1"),
        (MINIMAL + "[training]\nepochs = '3'\n", r"training\.epochs: .*valid integer"),
        (MINIMAL + "[training]\nlearning_rate = nan\n", r"training\.learning_rate"),
        (MINIMAL + "[training]\nprecision = 'float16'\n", r"training\.precision"),
        (MINIMAL + "[model]\ntied = true\n", r"model: .*'tied' needs embedding_size == 512"),
        (MINIMAL + "[model]\narchitecture = 'transformer'\n", r"model\.architecture: Input should"),
        (
            MINIMAL + "[model]\narchitecture = 'gru'\nprojection_size = 9\n",
            "for architecture 'lstm'",
        ),
        (MINIMAL + "[model]\nprojection_size = 512\n", "less than hidden_size"),
        (MINIMAL + "[model]\nprojection_size = 64\n", r"publish\.precision = 'int8' needs"),
        (MINIMAL + "[model]\nnum_layers = 1\nresidual = true\n", "'residual' needs at least 2"),
        (MINIMAL + "[model]\nadaptive_cutoffs = [9, 3]\n", r"must ascend, got \[9, 3\]"),
        (
            MINIMAL + "[tokenizer]\nkind = 'word'\nmax_size = 9\n[model]\nadaptive_cutoffs = [9]\n",
            r"adaptive_cutoffs: the last is 9, tokenizer\.max_size is 9",
        ),
        (MINIMAL + "[model]\nadaptive_cutoffs = [9]\nadaptive_division = 600\n", "division"),
        (MINIMAL + "[model]\nhidden_size = 8\nadaptive_cutoffs = [9, 20]\n", "no width is left"),
        (MINIMAL + "[model]\nnum_layers = 1\ndropout_between = 0.1\n", "at least 2 layers"),
        (
            MINIMAL + "[model]\ndropout_output = 0.96\n",
            r"dropout_output.*less than or equal to 0.95",
        ),
        (MINIMAL + "[model]\nlocked_dropout = true\n", "'locked_dropout' needs 'dropout_input'"),
        (
            MINIMAL + "[model]\ntied = true\nembedding_size = 512\nadaptive_cutoffs = [9]\n"
            "adaptive_division = 2.0\n",
            "'adaptive_division' needs 'adaptive_cutoffs', without 'tied'",
        ),
        (MINIMAL + "[model]\nadaptive_division = 2.0\n", "'adaptive_division' needs 'adaptive_c"),
        (
            MINIMAL + "[tokenizer]\nkind = 'bpe'\n[training]\nunknown_rate = 0.01\n",
            r"training\.unknown_rate: tokenizer\.kind = 'bpe' has no <unk>",
        ),
        ('name = "m"\n[corpus]\n', "exactly one of 'name' and 'path'"),
        ('name = "m"\n[corpus]\nname = "a"\npath = "b"\n', "exactly one of 'name' and 'path'"),
        ('name = "No Spaces"\n[corpus]\npath = "t"\n', "name: String should match"),
        ('name = "m"\n', "corpus: Field required"),
        ("name = ", "is not a TOML file"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    """With the file and the field."""
    with pytest.raises(ConfigError, match=complaint) as refusal:
        load(tmp_path, text)
    assert "c.toml" in str(refusal.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(ConfigError, match=r"cannot read config .*none\.toml: No such file"):
        load_config(tmp_path / "none.toml")


def test_overrides_are_checked_too(tmp_path: Path) -> None:
    """None means: not given."""
    config = load(tmp_path, MINIMAL)
    changed = with_overrides(config, epochs=3, seed=None, name="other")
    assert (changed.training.epochs, changed.name) == (3, "other")
    assert changed.training.seed == config.training.seed
    with pytest.raises(ConfigError, match=r"command line: (.|\n)*training\.epochs"):
        with_overrides(config, epochs=-1)


@pytest.mark.parametrize("kind", ["character", "byte", "bpe"])
def test_json_round_trip(kind: str) -> None:
    """As it happens in every checkpoint, for the smallest config too; no default is refused."""
    table = {
        "name": "m",
        "corpus": {"path": "t"},
        "tokenizer": {"kind": kind},
        "model": {"num_layers": 1},
    }
    config = parse_config(table, source="test")
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
