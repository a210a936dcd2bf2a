"""A portrait in words and figures, for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from training.portrait.alphabet import Sign, readable
from training.portrait.items import item_advice
from training.portrait.lines import LONGEST, Pieces
from training.portrait.portrait import Portrait

_SHOWN = 10


def portrait_table(portrait: Portrait, title: str) -> Table:
    """What a text is, a line for each question."""
    return two_columns(title, _rows(portrait))


def two_columns(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Questions and answers, in the answers' own words: never as markup."""
    table = Table(title=Text(title), title_style="bold", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for question, answer in rows:
        table.add_row(Text(question), Text(answer))
    return table


def _rows(portrait: Portrait) -> Iterable[tuple[str, str]]:
    alphabet, layout = portrait.alphabet, portrait.layout
    yield "size", f"{portrait.num_characters:,} characters, {portrait.num_bytes:,} bytes of UTF-8"
    yield (
        "alphabet",
        f"{len(alphabet.signs):,} different characters\n"
        + "\n".join(
            f"{script.name}: {script.num_kinds:,} different, "
            f"{script.count / alphabet.num_characters:.2%} of the text"
            for script in alphabet.scripts
        ),
    )
    yield "rarest", "\n".join(map(_place, alphabet.rarest(_SHOWN)))
    yield "controls", _controls(alphabet.controls)
    number = f"{layout.num_lines:,}, of which {layout.num_empty_lines:,} empty"
    yield "lines", f"{number}; {_lengths(layout.lines)}"
    yield "paragraphs", f"{layout.paragraphs.number:,}; {_lengths(layout.paragraphs)}"
    of_lines, of_paragraphs = item_advice(layout)
    yield "lines as items?", of_lines
    yield "paragraphs as items?", of_paragraphs
    yield (
        "bits per character",
        ", ".join(f"{n}: {bits:.3f}" for n, bits in enumerate(portrait.bits_by_order, start=1))
        + " (by n of n-grams that were counted on the training part, on the held-out part"
        + (", a sample of both" if portrait.is_sampled else "")
        + ")",
    )
    packed = portrait.packed
    of_what = "" if packed.is_all else f", of its first {packed.num_characters:,} characters"
    figures = (
        f"gzip -9 {packed.gzip_bits:.3f}, xz {packed.xz_bits:.3f}, chance "
        f"{portrait.uniform_bits:.3f} bits per character"
    )
    yield "packed", f"{figures} (held-out part{of_what})"


def _place(sign: Sign) -> str:
    times = "once" if sign.count == 1 else f"{sign.count:,} times"
    return f"{readable(sign.character)}  {times}, first in line {sign.first_line:,}"


def _controls(signs: list[Sign]) -> str:
    if not signs:
        return "none but line ends and tabs"
    more = len(signs) - _SHOWN
    return "\n".join([*map(_place, signs[:_SHOWN]), *([f"and {more:,} more"] if more > 0 else [])])


def _lengths(pieces: Pieces) -> str:
    if pieces.number < 2:
        return f"{_length(pieces.longest)} characters long"
    of_what = "" if pieces.sampled == 1 else f" (of 1 in {pieces.sampled:,} different ones)"
    return (
        f"half have up to {_length(pieces.quantile(0.5))} characters, 99 in 100 up to "
        f"{_length(pieces.quantile(0.99))}, the longest {_length(pieces.longest)}; "
        f"{pieces.copies:.1%} say again what another one says{of_what}"
    )


def _length(length: int) -> str:
    return f"{length:,}" if length < LONGEST else f"{LONGEST:,} or more"
