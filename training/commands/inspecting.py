"""inspect: what goes on inside of a published model, in pictures and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from service.artifacts.store import Artifact, ModelStore
from service.runtime.inside.detectors import COUNTING
from service.runtime.sampling import Sampling
from training.commands.arguments import (
    MODEL_STORE,
    Flat,
    Natural,
    Options,
    Positive,
    Process,
    Store,
)
from training.commands.given import require_there
from training.commands.status import DONE
from training.config.paths import shown
from training.disk import whole_file
from training.errors import ConfigError
from training.inside.drawing import (
    draw_attribution,
    draw_average,
    draw_heat_map,
    draw_memory,
    draw_saturation,
    draw_unit,
)
from training.inside.gradients import attribution
from training.inside.page import coloured_page
from training.inside.reading import Inside, TokenText, written_by
from training.inside.survey import ScoreName, Survey, mean_by_count, survey, values_of
from training.inside.table import tables_of
from training.served.step_model import StepModel, find_published, read_as_trained

_NUM_TARGETS = 16


class Inspection(Options):
    """What is read, and what is drawn of it."""

    text: Annotated[
        Path | None,
        Parameter(help="what it reads (default: what it writes itself, of seed 0)", metavar="FILE"),
    ] = None
    num_tokens: Annotated[
        Positive, Parameter(help="so much of it, for the statistics", metavar="N")
    ] = 5000
    start: Annotated[
        Natural, Parameter(help="the text in the pictures begins at this token", metavar="N")
    ] = 0
    excerpt: Annotated[Positive, Parameter(help="and has so many tokens", metavar="N")] = 400
    unit: Annotated[
        tuple[str, ...],
        Parameter(
            help="colour the text by this unit, like layer1.c.24; several times for several "
            "(default: the unit that reacts most to each thing)",
            metavar="UNIT",
            negative=(),
        ),
    ] = ()
    score: Annotated[ScoreName, Parameter(help="how reactions are measured")] = "correlation"
    output: Annotated[
        Path, Parameter(help="the folder for the pictures; it is made", metavar="DIR")
    ] = Path("inside")


def inspect(
    model: Annotated[
        str, Parameter(help="a published model, `name` or `name@version`", metavar="MODEL")
    ],
    /,
    *,
    inspection: Annotated[Inspection, Flat] = Inspection(),
    store: Store = MODEL_STORE,
    process: Annotated[Process, Flat] = Process(),
) -> int:
    """Show what goes on inside of a published model while it reads."""
    process.require_alone("inspect")
    artifact = find_published(ModelStore(store), model)
    served = StepModel.of_artifact(artifact)
    inside = Inside(served, artifact)
    units = [_unit_of(name, inside) for name in inspection.unit]
    _make_folder(inspection.output)
    text = _text(served, artifact, inspection)
    with process.waiting.during("reading"):
        found = survey(inside, text, inspection.score, top=3)
    for table in tables_of(found, inspection.score):
        process.console.print(table)
    with process.waiting.during("drawing"):
        files = _draw(inside, artifact, text, found, units, inspection)
    process.console.print(Text(f"pictures: {', '.join(map(shown, files))}"), soft_wrap=True)
    return DONE


def _make_folder(path: Path) -> None:
    """Before the work, not after it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--output {shown(path)}: {error.strerror}") from error


def _text(model: StepModel, artifact: Artifact, inspection: Inspection) -> TokenText:
    if inspection.text is None:
        sampling = Sampling(seed=0, **dict(artifact.manifest.defaults))
        texts = written_by(model, inspection.num_tokens, sampling)
        return TokenText.of(model, texts, inspection.num_tokens)
    require_there(inspection.text)
    return TokenText.of(model, read_as_trained(artifact, inspection.text), inspection.num_tokens)


def _draw(
    inside: Inside,
    artifact: Artifact,
    text: TokenText,
    found: Survey,
    units: list[tuple[str, int]],
    inspection: Inspection,
) -> list[Path]:
    """All pictures; returns their files."""
    folder, ref = inspection.output, artifact.ref
    excerpt = _excerpt(text, inspection)
    files: list[Path] = []

    def file(name: str) -> Path:
        files.append(folder / name)
        return files[-1]

    if found.gates:
        title = f"{ref}: how often gates are open and shut, in {len(text):,} tokens"
        draw_saturation(found.gates, title, file("saturation.png"))
    if found.keeping:
        draw_memory(found.keeping, f"{ref}: what units remember", file("memory.png"))
    last = sorted(inside.widths)[-1].rpartition(".")[0]
    of_layer = [name for name in inside.widths if name.rpartition(".")[0] == last]
    line = excerpt.part(0, 90)
    draw_heat_map(values_of(inside, line, of_layer), line, f"{ref}, {last}", file("gates.png"))
    shares = attribution(
        inside.model.graph, artifact.manifest, line.id_T, min(_NUM_TARGETS, len(line) - 1)
    )
    title = f"{ref}: what made the last tokens probable, by gradients"
    draw_attribution(shares, line, title, file("attribution.png"))
    drawn = units or list(
        dict.fromkeys((best[0].activation, best[0].number) for best in found.reactions.values())
    )
    values = values_of(inside, excerpt, list({name for name, _ in drawn}))
    of_units = [(f"{name}.{unit}", values[name][:, unit]) for name, unit in drawn]
    for name, values_T in of_units:
        draw_unit(values_T, excerpt, f"{ref}, {name}", file(f"unit-{name}.png"))
    for detector in sorted(COUNTING & set(found.reactions)):
        means = mean_by_count(inside, text, detector, found.reactions[detector])
        title = f"{ref}: the units that react most to {detector}"
        draw_average(means, detector, "mean value", title, file(f"by-{detector}.png"))
    page = coloured_page(of_units, excerpt, f"{ref}, unit by unit").encode()
    with whole_file(file("units.html"), len(page)) as output:
        output.write(page)
    return files


def _excerpt(text: TokenText, inspection: Inspection) -> TokenText:
    if len(text) - inspection.start < 2:
        raise ConfigError(
            f"--start {inspection.start} leaves nothing: the text has {len(text)} tokens; "
            "see --num-tokens"
        )
    return text.part(inspection.start, inspection.excerpt)


def _unit_of(name: str, inside: Inside) -> tuple[str, int]:
    activation, _, number = name.rpartition(".")
    width = inside.widths.get(activation)
    if width is None:
        raise ConfigError(f"--unit {name}: the model has {', '.join(inside.widths)}")
    if not number.isascii() or not number.isdigit() or int(number) >= width:
        raise ConfigError(f"--unit {name}: units of {activation} are 0 to {width - 1}")
    return activation, int(number)
