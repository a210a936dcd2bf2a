"""Files given as plain text that are called like JSON or a table: what to write instead."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from training.config.text import CorpusConfig
from training.corpora.csv_rows import columns_of
from training.corpora.decoded import Decoding
from training.corpora.folders import Found, is_of_format
from training.corpora.json_records import read_json_records
from training.corpora.opened import shown
from training.corpora.record_texts import best_field
from training.errors import CorpusError

_LOOKS = {"jsonl": "JSON", "csv": "a table", "wet": "Common Crawl's text of pages (WET)"}
_MOST_NAMES = 12


def require_plain_text(found: Found, config: CorpusConfig) -> None:
    """Refuse a single file that is called as those of another format are.

    Whoever writes `format = "text"` wants it as it is.

    Raises:
        CorpusError: it is; the message says what to write.
    """
    if "format" in config.model_fields_set or found.is_folder or not found.place.exists():
        return
    for corpus_format in _LOOKS:
        if is_of_format(found.place, corpus_format):
            raise CorpusError(_advice(found.place, corpus_format, Decoding.of(config)))


def _advice(file: Path, corpus_format: str, decoding: Decoding) -> str:
    names, best = _fields(file, corpus_format, decoding)
    words = f"--format {corpus_format}"
    lines = f"format = {json.dumps(corpus_format)}"
    has = ""
    if names:
        more = ", ..." if len(names) > _MOST_NAMES else ""
        kind = "columns" if corpus_format == "csv" else "fields"
        has = f" with the {kind} {', '.join(name[:40] for name in names[:_MOST_NAMES])}{more}"
    if best not in (None, "text"):
        words += f" --text-field {shlex.quote(str(best))}"
        lines += f"\ntext_field = {json.dumps(best, ensure_ascii=False)}"
    return (
        f"{shown(file)} looks like {_LOOKS[corpus_format]}{has}, and not like plain text. On the "
        f"command line add\n  {words}\nor write into a config\n[corpus]\n"
        f"path = {json.dumps(shown(file), ensure_ascii=False)}\n{lines}\n"
        "(--format text reads it as it stands, brackets and all)"
    )


def _fields(file: Path, corpus_format: str, decoding: Decoding) -> tuple[list[str], str | None]:
    """The fields of the first record, and which is likely the text; nothing of what is damaged."""
    try:
        if corpus_format == "csv":
            columns = columns_of(file, decoding)
            return columns, "text" if "text" in columns else columns[-1] if columns else None
        first = next(read_json_records(file, decoding), None) if corpus_format == "jsonl" else None
    except CorpusError:
        return [], None
    if first is None or not isinstance(first.value, dict):
        return [], None
    return list(map(str, first.value)), best_field(first.value)
