"""A config for a text of which nothing is known but its length: `lstm-train run my.txt`.

Sized so that 200 kB of text become a published model within a few minutes on two slow cores.
"""

from __future__ import annotations

from pathlib import Path

from training.config.files import parse_config
from training.config.paths import path_text, shown
from training.config.train import TrainConfig

TOKENS_TO_READ = 2_000_000
"""How much reading, over all epochs, pays for a text of any length."""
_MIN_EPOCHS, _MAX_EPOCHS = 3, 30
_WINDOW, _MAX_COLUMNS = 64, 32
_SHORT = 500_000
"""Characters; a text that is shorter is easily learned by heart."""


def recipe_for(name: str, text: Path, num_train_characters: int) -> TrainConfig:
    """2x256 with more dropout for shorter texts, which are read more often.

    Raises:
        ConfigError: `name` cannot be the name of a model.
    """
    epochs = round(TOKENS_TO_READ / num_train_characters)
    dropout = 0.4 if num_train_characters < _SHORT else 0.2
    # At least 4 windows a column, or the state would never be carried anywhere.
    columns = num_train_characters // (4 * _WINDOW)
    return parse_config(
        {
            "name": name,
            "description": f"Character LSTM trained on {shown(text.name)[:400]}",
            "corpus": {"path": path_text(text.resolve())},
            "model": {
                "hidden_size": 256,
                "num_layers": 2,
                "embedding_size": 64,
                "dropout_input": dropout / 2,
                "dropout_between": dropout,
                "dropout_output": dropout,
            },
            "training": {
                "epochs": min(max(epochs, _MIN_EPOCHS), _MAX_EPOCHS),
                "batch_size": min(max(columns, 1), _MAX_COLUMNS),
                "window": _WINDOW,
                "learning_rate": 4e-3,
                "patience": 5,
                "calibrate": True,
            },
        },
        source="command line",
    )


def reasons_of(config: TrainConfig, num_train_characters: int) -> dict[str, str]:
    """Why `recipe_for` says what it says of a text of this length, by what it says."""
    model, training = config.model, config.training
    length = f"{num_train_characters:,} characters"
    is_short = num_train_characters < _SHORT
    early = f"; it ends after {training.patience} in a row without a better loss"
    early = early if training.epochs > (training.patience or training.epochs) else ""
    return {
        "tokens": "characters: that goes for every language and script, and nothing is lost",
        "size": f"{model.num_layers}x{model.hidden_size}: small enough for minutes on two cores; "
        "a text of many millions repays 2x512 in a config of its own",
        "dropout": f"{model.dropout_between:g}: {length} to train on are "
        + (f"fewer than {_SHORT:,}" if is_short else f"{_SHORT:,} or more"),
        "epochs": f"{training.epochs}: about {TOKENS_TO_READ:,} characters are read in all, but "
        f"the text at least {_MIN_EPOCHS} times and at most {_MAX_EPOCHS}" + early,
        "columns": f"{training.batch_size} of windows of {training.window}: "
        + (
            "the most that this recipe takes"
            if training.batch_size == _MAX_COLUMNS
            else "so few that each has four windows"
        ),
    }
