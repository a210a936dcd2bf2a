"""The pages of help: an example for each verb, and each example can be typed."""

from __future__ import annotations

import re
import shlex

import pytest

from training.cli import command_line, main
from training.commands import examples

VERBS = [name for name in command_line() if not name.startswith("-")]
EXAMPLES = {
    line.strip(): None
    for page in (examples.OF_ALL, *examples.OF_VERB.values())
    for line in page.splitlines()
    if line.strip().startswith("lstm-train")
}


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_of_the_help_can_be_typed(line: str) -> None:
    """Each option exists, and takes such a value."""
    if line.endswith("--install-completion"):
        return
    _, bound, _ = command_line().parse_args(
        shlex.split(line)[1:], exit_on_error=False, print_error=False
    )
    assert "process" in bound.signature.parameters


def test_every_verb_has_an_example_of_its_own() -> None:
    """On its page of help."""
    assert list(examples.OF_VERB) == sorted(VERBS, key=VERBS.index)
    for verb, page in examples.OF_VERB.items():
        assert f"lstm-train {verb} " in page


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_of_a_verb_shows_its_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no example of another one."""
    assert main([verb, "--help"]) == 0
    page = capsys.readouterr().out
    shown = re.findall(r"^ *(lstm-train \S+)", page, re.MULTILINE)
    assert set(shown) == {f"lstm-train {verb}"}
