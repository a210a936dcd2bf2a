"""A config that is wrong says what its writer may have meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.training.documented import documented
from training.config.files import load_config, parse_config
from training.config.train import TrainConfig
from training.errors import ConfigError
from training.tuning.sweep_space import Sweep

MINIMAL = 'name = "m"\n[corpus]\npath = "t.txt"\n'
KEYS = [
    (section, key)
    for section, field in TrainConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    for key in field.annotation.model_fields
]


def problem(table: dict[str, object]) -> str:
    """What is said of a config's table."""
    with pytest.raises(ConfigError) as refusal:
        parse_config({"name": "m", "corpus": {"path": "t"}, **table}, source="c.toml")
    return str(refusal.value)


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_every_key_that_lacks_its_last_letter_is_known(section: str, key: str) -> None:
    """By its section and its right name."""
    assert f"\n  {section}.{key[:-1]}: did you mean {key}?" in problem({section: {key[:-1]: 1}})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[training]\nepoch = 3\n", documented("training.epoch: did you mean epochs?")),
        ("[training]\nhidden_size = 3\n", "training.hidden_size: belongs to the section [model]"),
        ("[training]\npath = 'x'\n", "belongs to one of the sections [corpus] or [vectors]"),
        ("[training]\ndescription = 'x'\n", "belongs to the top of the file, before the first ["),
        ("[trainig]\nepochs = 3\n", "trainig: did you mean training?"),
        ("[model]\nlearning_rat = 1\n", "did you mean learning_rate, of the section [training]?"),
        ("[model]\ntraining = 3\n", "model.training: [training] is a section of its own"),
        ("[sample]\nzzz = 1\n", "sample.zzz: there is no such key; there are prompt, num_tokens"),
        ("[model]\narchitecture = 'lsmt'\n", "not 'lsmt': did you mean lstm?"),
        ("[training]\nprecision = 'bf16'\n", "not 'bf16': did you mean bfloat16?"),
        ("[cleaning]\nunicode = 'nfc'\n", "not 'nfc': did you mean NFC?"),
        ("[tokenizer]\nkind = 'words'\n", "not 'words': did you mean word?"),
        ("[tokenizer]\nkind = 7\n", "tokenizer.kind: Input should be 'character', "),
        ("[training]\nepochs = '3'\n", "training.epochs: Input should be a valid integer, not '3'"),
        ("[training]\nrestarts = [{ epoch = 3 }]\n", "training.restarts.0.epoch: did you mean ep"),
        ("[vectors]\npath = 'x'\nformat = 'golve'\n", "vectors.format: "),
    ],
)
def test_mistakes_say_what_was_meant(tmp_path: Path, text: str, complaint: str) -> None:
    """Another spelling, another section, another choice."""
    path = tmp_path / "c.toml"
    path.write_text(MINIMAL + text, encoding="utf-8")
    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    assert complaint in str(refusal.value)
    assert "Value error" not in str(refusal.value)


def test_a_key_before_the_first_section() -> None:
    """It belongs into one."""
    assert "\n  epochs: belongs to the section [training]" in problem({"epochs": 3})
    assert "\n  corpse: did you mean corpus?" in problem({"corpse": {"path": "x"}})


def test_a_long_value_is_cut() -> None:
    """A message stays one that can be read."""
    assert len(problem({"training": {"epochs": "x" * 10_000}})) < 200


def test_sweeps_say_it_too(tmp_path: Path) -> None:
    """Of their own keys and of those that they vary."""
    (tmp_path / "c.toml").write_text(MINIMAL, encoding="utf-8")
    sweep = tmp_path / "s.toml"
    sweep.write_text('config = "c.toml"\nnum_trial = 2\nspace = {}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"num_trial: did you mean num_trials\?"):
        Sweep.load(sweep)
    sweep.write_text(
        'config = "c.toml"\nspace."model.hidden_size" = { low = 1, hgih = 2 }\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"range\.hgih: did you mean high\?"):
        Sweep.load(sweep)
    space = '"training.learning_rat" = { low = 1e-4, high = 1e-2 }'
    sweep.write_text(f'config = "c.toml"\nnum_trials = 2\n[space]\n{space}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"learning_rat: did you mean learning_rate\?"):
        Sweep.load(sweep)


def test_a_missing_config_says_what_is_there(tmp_path: Path) -> None:
    """Configs only, not all files."""
    for name in ("shakespeare.toml", "names.toml", "shakespear.txt"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"No such file .*did you mean .*/shakespeare\.toml\?"):
        load_config(tmp_path / "shakespear.toml")
    with pytest.raises(ConfigError, match=r"holds names\.toml, shakespeare\.toml$"):
        load_config(tmp_path / "zzz.toml")
