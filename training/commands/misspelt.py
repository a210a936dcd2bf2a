"""What a wrong command line may have meant."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from cyclopts import App, CycloptsError, MissingArgumentError, UnusedCliTokensError

from training.config.nearby import did_you_mean
from training.config.paths import for_shell, shown


def misspelt(app: App, words: Sequence[str]) -> str | None:
    """What no command and no option is called by, if a command line holds such a word.

    Told before any other complaint: that an option is missing, say, may be just because it was
    misspelt.
    """
    if not words:
        return None
    verb = words[0]
    if verb.startswith("-"):
        options = [name for name in app if name.startswith("-")]
        return None if verb in options else _no_option(verb, options)
    if verb not in app:
        return _no_verb(verb, [name for name in app if not name.startswith("-")])
    arguments = app[verb].assemble_argument_collection()
    options = [name for argument in arguments for name in argument.names if name.startswith("--")]
    takes_words = any(argument.index == 0 for argument in arguments)
    for before, word in pairwise(words):
        if word == "--":
            return None
        name = word.partition("=")[0]
        if word == "-" and before == verb and "--text" in options:
            return "standard input is --text -"
        is_value = before.startswith("--") and "=" not in before  # of --prompt, say
        if name.startswith("--") and name not in (*options, "--help") and not is_value:
            return _no_option(name, options)
        if before == verb and not takes_words and word[:1] != "-" and "--model" in options:
            said = for_shell(word)
            what = f"what is {shown(word)}, a model or a training?"
            return f"{what} --model {said} or --run-dir {said}"
    return None


def wrong_value(fault: Mapping[str, Any]) -> str:
    """What pydantic complains of; of a choice that is none, also which one was meant."""
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] != "literal_error":
        return message
    value, choices = str(fault["input"]), re.findall("'([^']+)'", fault["ctx"]["expected"])
    return f"{message}, not {value!r}{did_you_mean(value, choices)}"


def in_words(error: CycloptsError) -> str:
    """What the parser complains of, where its own words are for programmers."""
    verb = " ".join(error.command_chain or ())
    match error:
        case UnusedCliTokensError() if verb:
            said = shown(" ".join(map(str, error.unused_tokens or ())))
            return f"{said}: {verb} takes nothing more without an option's name before it"
        case MissingArgumentError() if error.argument is not None and not error.tokens_so_far:
            name = error.argument.name
            return f"{verb} needs {name}" if error.keyword is None else f"{name} needs a value"
        case _:
            return getattr(error, "exception_message", "") or str(error)


def _no_verb(word: str, verbs: Sequence[str]) -> str:
    if os.path.exists(word):
        return f"to train on {shown(word)}: lstm-train run {for_shell(word)}"
    meant = did_you_mean(word, verbs) or f": {', '.join(verbs)}"
    return f"there is no command {shown(word)}{meant}"


def _no_option(word: str, options: Sequence[str]) -> str:
    return f"there is no option {shown(word)}{did_you_mean(word, options)}"
