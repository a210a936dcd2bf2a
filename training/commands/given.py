"""What the words of `run`, `train` and `find-lr` mean: a config, a text, and what it is called."""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import Path

from service.artifacts.manifest import MANIFEST_FILE, NAME_PATTERN
from training.commands.arguments import Source
from training.config.nearby import instead_of_file
from training.config.paths import shown
from training.corpora.streams import called, is_stream
from training.errors import ConfigError, CorpusError

CONFIG_ENDING = ".toml"
_STANDARD_INPUT = Path("-")
_STREAMS = (("/", "dev"), ("/", "proc"))
_MAX_NAME = 64
_PACKED = re.compile(r"\.(gz|xz|zst|bz2)$", re.IGNORECASE)


def told_apart(given: Path | None, source: Source) -> tuple[Path | None, Source]:
    """The config, if it is one; a text stands in the source, as if `--text` had named it.

    Raises:
        ConfigError: it is neither, or a second text.
        CorpusError: the text is not there.
    """
    if given is None or _is_config(given):
        require_text(source)
        require_there(source.text)
        return given, source
    if source.text is not None:
        raise ConfigError(
            f"two texts, {shown(given)} and --text {shown(source.text)}: give one of them"
            f" ({shown(given)} is taken for a text, as it does not end in {CONFIG_ENDING})"
        )
    if _is_missing(given):
        raise ConfigError(
            f"there is no {shown(given)}, neither a text nor a config: {instead_of_file(given)}"
        )
    return None, source.model_copy(update={"text": given})


def require_text(source: Source) -> None:
    """What says how a text is read goes with one.

    Raises:
        ConfigError: it would do nothing.
    """
    for field in ("encoding", "errors"):
        if field in source.named and source.text is None:
            raise ConfigError(f"--{field} does nothing without a text")


def require_there(text: Path | None) -> None:
    """Look for a text that an option names.

    Raises:
        CorpusError: it is not there.
    """
    if text is not None and _is_missing(text):
        raise CorpusError(
            f"cannot read text {shown(text)}: No such file or directory; {instead_of_file(text)}"
        )


def name_of(source: Source) -> str:
    """What a model of a text is called: as it is said, or after the file.

    Raises:
        ConfigError: nothing is said, and the file's name is none for a model.
    """
    if source.name is not None:
        return source.name
    if source.text is None:
        raise AssertionError("neither a name nor a text")
    name = _name_after(source.text)
    if name is None:
        raise ConfigError(
            f"what is the model of {_called(source.text)} to be called? Add a name in small Latin "
            f"letters, like {shlex.join(['--name', 'mine'])}"
        )
    return name


def _called(text: Path) -> str:
    return called(text) if is_stream(text) else shown(text)


def _name_after(text: Path) -> str | None:
    """`My Poems.txt.gz` becomes `my-poems`; none if no Latin letter or digit is left."""
    if text.is_fifo() or text.parts[:2] in _STREAMS:
        return None
    own_name = (text if text.name else text.resolve()).name
    stem = own_name if text.is_dir() else Path(_PACKED.sub("", own_name)).stem
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", errors="ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_NAME]
    return name if re.fullmatch(NAME_PATTERN, name) else None


def _is_missing(path: Path) -> bool:
    # What has no place among the files, a pipe or an address, is for the reader of texts to name.
    is_stream = path == _STANDARD_INPUT or path.parts[:2] in _STREAMS
    return not path.exists() and not is_stream and ":/" not in str(path)


def _is_config(path: Path) -> bool:
    return path.suffix.lower() == CONFIG_ENDING or path.name == MANIFEST_FILE
