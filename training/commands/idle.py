"""Options that do nothing beside others are refused by name, not ignored."""

from __future__ import annotations

from collections.abc import Set

from service.runtime.sampling import SamplingOptions
from training.commands.arguments import option_name
from training.errors import ConfigError

_OF_CACHE = ("cache_flatness", "cache_weight")
_IDLE = (
    ("model", True, "does nothing with --model", ("checkpoint", "data")),
    (
        "model",
        True,
        "needs a checkpoint: --run-dir, not --model",
        ("part", "dynamic", "cache", *_OF_CACHE),
    ),
    ("run_dir", True, "does nothing with --run-dir", ("places", "store", "encoding", "errors")),
    ("cache", False, "does nothing without --cache", _OF_CACHE),
    (
        "beams",
        True,
        "does nothing with --beams",
        (*SamplingOptions.model_fields, "seed", "num_samples"),
    ),
    ("beams", False, "does nothing without --beams", ("length_penalty",)),
)
"""If the first option is named (or, False: is not), the last ones are refused in these words."""


def refuse_idle(named: Set[str]) -> None:
    """Look at the names of all options that were given.

    Raises:
        ConfigError: one of them does nothing beside the others.
    """
    for other, is_named, complaint, idle in _IDLE:
        for option in idle:
            if option in named and (other in named) == is_named:
                raise ConfigError(f"{option_name(option)} {complaint}")
