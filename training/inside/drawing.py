"""Pictures of a model's inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from service.rows.arrays import Float32
from training.inside.gradients import Attribution
from training.inside.reading import KEEPING, TokenText
from training.inside.survey import OPEN, SHUT, Openness, kind_of
from training.pictures import LINE_COLOURS, drawable, picture

_SIGNS = {"\n": "↵", " ": "·", "": "▸"}
_MOST_UNITS = 48
_COLOURS = "RdBu_r"


def draw_saturation(gates: Mapping[str, Openness], title: str, path: Path) -> None:
    """A point for each unit: how often its gate is open, and how often shut.

    As figure 4 of Karpathy, Johnson & Li 2015 (arXiv:1506.02078).
    """
    kinds = list(dict.fromkeys(kind_of(name) for name in gates))
    with picture(path, (4.2 * len(kinds), 4.2), (1, len(kinds))) as plots:
        for kind in kinds:
            axes = next(plots)
            of_kind = {name: each for name, each in gates.items() if kind_of(name) == kind}
            for colour, (name, each) in zip(LINE_COLOURS, of_kind.items(), strict=False):
                layer = name.rpartition(".")[0]
                axes.scatter(each.open_W, each.shut_W, 7, colour, alpha=0.5, lw=0, label=layer)
            axes.plot([0, 1], [1, 0], color="#888888", linewidth=0.8)
            axes.set(
                title=f"gate {kind}",
                xlabel=f"share of tokens above {OPEN}",
                ylabel=f"share of tokens below {SHUT}",
                xlim=(-0.02, 1.02),
                ylim=(-0.02, 1.02),
            )
            axes.legend(frameon=False)
        axes.figure.suptitle(drawable(title), parse_math=False)


def draw_memory(keeping: Mapping[str, Openness], title: str, path: Path) -> None:
    """How many tokens each unit remembers, the longest first."""
    with picture(path) as plots:
        axes = next(plots)
        for colour, (name, each) in zip(LINE_COLOURS, keeping.items(), strict=False):
            longest = np.sort(each.memory_tokens)[::-1]
            axes.plot(np.arange(1, len(longest) + 1), longest, color=colour, label=name)
        gate = KEEPING[kind_of(next(iter(keeping)))]
        axes.set(
            xlabel="unit, the longest memory first",
            ylabel=f"tokens: 1 / (1 - mean {gate})",
            xscale="log",
            yscale="log",
        )
        axes.set_title(drawable(title), parse_math=False)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.legend(frameon=False)


def draw_heat_map(values: Mapping[str, Float32], text: TokenText, title: str, path: Path) -> None:
    """A plot for each activation: the units that move most, over the tokens of a short text.

    Args:
        values: float32[T, W] of each.
        text: The T tokens.
        title: Of all.
        path: Where to.
    """
    size = (max(6.0, 0.155 * len(text)), 2.3 * len(values) + 0.4)
    with picture(path, size, (len(values), 1)) as plots:
        for name, values_TW in values.items():
            axes = next(plots)
            moving = np.sort(np.argsort(-values_TW.std(axis=0))[:_MOST_UNITS])
            shown_WT = values_TW[:, moving].T
            # In the order in which they are largest, which makes the pattern visible.
            shown_WT = shown_WT[np.argsort(shown_WT.argmax(axis=1), kind="stable")]
            is_gate = shown_WT.min() >= 0
            span = 1.0 if is_gate else float(np.quantile(np.abs(shown_WT), 0.99)) or 1.0
            image = axes.imshow(
                shown_WT,
                aspect="auto",
                interpolation="nearest",
                cmap="viridis" if is_gate else _COLOURS,
                vmin=0 if is_gate else -span,
                vmax=span,
            )
            axes.figure.colorbar(image, ax=axes, pad=0.01)
            axes.set(title=name, ylabel="units", yticks=[])
            _label_tokens(axes, text)
        axes.figure.suptitle(drawable(title), parse_math=False)


def draw_unit(
    values_T: Float32, text: TokenText, title: str, path: Path, *, width: int = 72
) -> None:
    """A text whose characters stand on the colour of a unit's value after them.

    Lines end where those of the text do, and after `width` characters.
    """
    rows = _rows(text, width)
    is_gate = values_T.min() >= 0
    span = 1.0 if is_gate else float(np.abs(values_T).max()) or 1.0
    longest = max((sum(max(len(text.pieces[t]), 1) for t in row) for row in rows), default=1)
    with picture(path, (0.115 * longest + 1.2, 0.235 * len(rows) + 0.7)) as plots:
        axes = next(plots)
        axes.grid(visible=False)
        grid = np.full((len(rows), longest), np.nan)
        for y, row in enumerate(rows):
            x = 0
            for t in row:
                shown = text.pieces[t] if text.pieces[t] not in _SIGNS else _SIGNS[text.pieces[t]]
                for sign in shown:
                    grid[y, x] = values_T[t]
                    _write(axes, x, y, sign, is_on_dark=abs(values_T[t]) > 0.7 * span)
                    x += 1
        image = axes.imshow(
            grid,
            cmap="Blues" if is_gate else _COLOURS,
            vmin=0 if is_gate else -span,
            vmax=span,
            aspect="auto",
        )
        axes.figure.colorbar(image, ax=axes, pad=0.01)
        axes.set(xticks=[], yticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_title(drawable(title), parse_math=False)


def draw_attribution(
    found: Attribution, text: TokenText, title: str, path: Path, *, num_before: int = 60
) -> None:
    """A row for each of the last tokens: what the tokens before it contributed to it, in nats."""
    shown_KS = found.share_KT[:, -num_before:]
    span = float(np.quantile(np.abs(shown_KS), 0.995)) or 1.0
    size = (0.155 * shown_KS.shape[1] + 1.6, 0.24 * len(shown_KS) + 1.1)
    with picture(path, size) as plots:
        axes = next(plots)
        axes.grid(visible=False)
        image = axes.imshow(
            shown_KS, aspect="auto", interpolation="nearest", cmap=_COLOURS, vmin=-span, vmax=span
        )
        axes.figure.colorbar(image, ax=axes, pad=0.01, label="nats")
        _label_tokens(axes, text.part(len(text) - shown_KS.shape[1], shown_KS.shape[1]))
        targets = text.pieces[-len(shown_KS) :]
        axes.set_yticks(range(len(targets)), [_sign(piece) for piece in targets], fontsize=7)
        axes.set(xlabel="by", ylabel="contribution to")
        axes.set_title(drawable(title), parse_math=False)


def draw_average(
    means: Mapping[str, Float32], xlabel: str, ylabel: str, title: str, path: Path
) -> None:
    """A line for each series of means."""
    with picture(path) as plots:
        axes = next(plots)
        for colour, (name, mean_N) in zip(LINE_COLOURS, means.items(), strict=False):
            axes.plot(np.arange(len(mean_N)), mean_N, color=colour, label=name)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_title(drawable(title), parse_math=False)
        axes.legend(frameon=False)


def _rows(text: TokenText, width: int) -> list[list[int]]:
    rows: list[list[int]] = [[]]
    x = 0
    for t, piece in enumerate(text.pieces):
        if x + max(len(piece), 1) > width and rows[-1]:
            rows.append([])
            x = 0
        rows[-1].append(t)
        x += max(len(piece), 1)
        if piece.endswith("\n"):
            rows.append([])
            x = 0
    return [row for row in rows if row]


def _write(axes: Axes, x: int, y: int, sign: str, *, is_on_dark: bool) -> None:
    axes.text(
        x,
        y,
        drawable(sign),
        ha="center",
        va="center",
        fontsize=8,
        color="white" if is_on_dark else "black",
        family="DejaVu Sans Mono",
        parse_math=False,
    )


def _label_tokens(axes: Axes, text: TokenText) -> None:
    labels: Sequence[str] = [_sign(piece) for piece in text.pieces]
    axes.grid(visible=False)
    axes.set_xticks(range(len(labels)), labels, fontsize=7, parse_math=False)
    axes.tick_params(length=0)


def _sign(piece: str) -> str:
    return drawable(_SIGNS.get(piece, piece))
