"""README.md of a published model: what it is, how good it is, where it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from service.artifacts.manifest import MANIFEST_FILE, Evaluation, Inventions, Manifest, Parity
from service.runtime.sampling import Sampling
from training.yardsticks.measured import Yardsticks

_METHODS = {
    "stateful": "one stateful pass",
    "cold-256": "cold windows of 256",
}

_LIMITS = """## What it is not

It continues text in the manner of the text that it has read. It knows no facts and follows no
instructions.\
"""
_UNKNOWN = " What its text did not hold reads as one common sign for all of it."

_TABLE_HEAD = """\
| {part} text, by the serving runtime | weights | nats/token | bits/character | perplexity |
|---|---|---|---|---|
"""


def model_card(
    manifest: Manifest,
    samples: Mapping[Sampling, str],
    curves_file: str | None,
    yardsticks: Yardsticks | None = None,
) -> str:
    """The whole file as Markdown."""
    sections = [
        f"# {manifest.name}, version {manifest.version}",
        manifest.description or "A language model.",
        _summary(manifest),
        "## How good it is\n\n" + _figures(manifest),
        *([] if yardsticks is None else [_yardsticks(yardsticks, manifest.evaluations[0])]),
        (_curves(curves_file) if curves_file else "")
        + _calibration(manifest.provenance.calibrated_temperature),
        "## What it writes\n\n"
        "By these very weights: for the same prompt, seed and temperature the server writes the "
        "same.\n\n"
        + _inventions(manifest.inventions)
        + "\n\n".join(
            f"Temperature {sampling.temperature:g}, seed {sampling.seed}:\n\n{_fenced(text)}"
            for sampling, text in samples.items()
        ),
        _origin(manifest),
        _reproduction(manifest),
        _LIMITS + ("" if manifest.special_ids.unknown is None else _UNKNOWN),
    ]
    return "\n\n".join(sections) + "\n"


def card_of_version(card: str, manifest: Manifest, version: int) -> str:
    """The card of a published version, for another one of the same weights."""
    for line in ("# {0}, version {1}\n", " run {0}/{1}/" + MANIFEST_FILE):
        card = card.replace(
            line.format(manifest.name, manifest.version), line.format(manifest.name, version), 1
        )
    return card


def _summary(manifest: Manifest) -> str:
    sizes = manifest.sizes
    return (
        f"{sizes['num_layers']} x {sizes['hidden_size']} {manifest.architecture.upper()}, "
        f"{manifest.provenance.num_parameters:,} parameters, vocabulary of "
        f"{manifest.vocabulary_size:,} tokens, served in {manifest.precision}. The state of a "
        f"text is {manifest.state_width:,} numbers, {manifest.state_width * 4:,} bytes, however "
        "long the text."
    )


def _figures(manifest: Manifest) -> str:
    rows = "\n".join(
        f"| {_METHODS[e.method]} ({e.num_tokens:,} tokens) | {e.precision} "
        f"| {e.nats_per_token:.4f} | {e.bits_per_character:.4f} | {e.perplexity:.4f} |"
        for e in manifest.evaluations
    )
    increase = _perplexity_increase(manifest.evaluations)
    note = (
        ""
        if increase is None
        else f"int8 against float32, one stateful pass: perplexity {increase:+.3%}. "
    )
    head = _TABLE_HEAD.format(part=manifest.evaluations[0].part)
    of_tokens = _of_tokens(manifest.evaluations[0])
    return f"{head}{rows}\n\n{of_tokens}{note}{_parity(manifest.parity)}"


def _of_tokens(served: Evaluation) -> str:
    """What figures of tokens that are no characters, or of unknown ones, leave open."""
    said = ""
    per_character = 2.0**served.bits_per_character
    if not math.isclose(per_character, served.perplexity, rel_tol=1e-6):
        said = f"Perplexity per character, {_METHODS[served.method]}: {per_character:.4f}. "
    if served.unknown_share is not None:
        said += f"Of the held-out tokens, {served.unknown_share:.2%} are the unknown one. "
    return said


def _yardsticks(yardsticks: Yardsticks, served: Evaluation) -> str:
    rows = "\n".join(f"| {row.name} | {row.bits_per_character:.4f} |" for row in yardsticks.rows)
    verdict = yardsticks.verdict(served.bits_per_character)
    # A sentence is a paragraph with a capital letter.
    said = [*([] if verdict is None else [verdict]), *yardsticks.notes]
    said = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in said]
    introduction = (
        f"The same {served.part} text without a network: n-grams (interpolated Witten-Bell) "
        "of the same tokens, counted on the training text; gzip and xz know nothing but the "
        "text that they pack."
    )
    table = f"| by | bits/character |\n|---|---|\n{rows}"
    return "\n\n".join([introduction, table, *said])


def _curves(file: str) -> str:
    return (
        f"![Loss curves]({file})\n\n"
        "The points on the validation curve are estimates on the validation text in 32 parallel "
        "columns, each of which begins cold: a little above one stateful pass over it."
    )


def _calibration(temperature: float) -> str:
    if temperature == 1.0:
        return ""
    return (
        f" They are of before the calibration: the logits were divided by "
        f"{temperature:.3f}, one number fitted to the validation text (temperature scaling, Guo et "
        "al. 2017, arXiv:1706.04599)."
    )


def _parity(parity: Parity) -> str:
    sizes = ", ".join(str(size) for size in parity.batch_sizes)
    return (
        f"Parity of float32: over {parity.num_steps} chained steps and batches of {sizes} rows the "
        f"serving runtime and torch differ by at most {parity.max_logit_difference:.1e} in a logit "
        f"and {parity.max_state_difference:.1e} in the state (allowed: {parity.tolerance:.0e})."
    )


def _inventions(found: Inventions | None) -> str:
    if found is None:
        return ""
    return (
        f"Of {found.num_texts:,} texts from nothing at temperature {found.temperature:g}, "
        f"{found.well_formed:.1%} are well-formed: they end by themselves and are no longer than "
        f"the longest that it was trained on, nor than 2,000 characters. {found.new:.1%} are so "
        f"and not among the {found.num_trained_on:,} texts that it was trained on. "
        f"{found.distinct:.1%} are well-formed and different from each other.\n\n"
    )


def _origin(manifest: Manifest) -> str:
    provenance = manifest.provenance
    corpus = provenance.corpus
    return f"""## Where it comes from

- text: {corpus.name}, {corpus.num_characters:,} characters; {corpus.source}
- licence of the text: {corpus.licence or "not stated"}
- sha256 of the text: `{corpus.sha256}`
- training: {provenance.num_steps:,} steps in {_duration(provenance.wall_time_s)}, \
{"1 process" if provenance.num_processes == 1 else f"{provenance.num_processes} processes"}, \
seed {provenance.seed}{_precision(provenance.precision)}
- program: {provenance.code_version}, torch {provenance.torch_version}, {provenance.created_at}"""


def _precision(precision: str | None) -> str:
    return "" if precision is None else f", {precision}"


def _reproduction(manifest: Manifest) -> str:
    provenance = manifest.provenance
    n = provenance.num_processes
    launcher = "lstm-train" if n == 1 else f"torchrun --nproc-per-node {n} -m training.cli"
    corpus = provenance.config["corpus"]
    assert isinstance(corpus, dict)
    source = "--data FOLDER" if "name" in corpus else "--text FILE"
    source = "--text FOLDER" if corpus.get("format") in ("ptb", "wikitext") else source
    command = f"{launcher} run {manifest.name}/{manifest.version}/{MANIFEST_FILE} {source}"
    if provenance.precision is not None:
        command += f" --precision {provenance.precision}"
    vectors = provenance.config.get("vectors")
    files = f", beside which {vectors['path']} must lie" if isinstance(vectors, dict) else ""
    return (
        f"The config is in the manifest{files}; to train it again (the same steps, up to rounding, "
        f"on another processor):\n\n{_fenced(command, 'sh')}"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _perplexity_increase(evaluations: Sequence[Evaluation]) -> float | None:
    by_precision = {e.precision: e.perplexity for e in evaluations if e.method == "stateful"}
    if len(by_precision) < 2:
        return None
    return by_precision["int8"] / by_precision["float32"] - 1.0


def _fenced(text: str, language: str = "text") -> str:
    """A code block whose fence is longer than any row of backticks in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
