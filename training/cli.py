"""`lstm-train`: one verb for each function in `commands/`.

Exit status: 0 done, 1 a `TrainingError` (its message is printed), 2 wrong command line, 130 stopped
by Ctrl-C, SIGTERM or the end of its terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch
from cyclopts import App, CycloptsError, Parameter
from pydantic import ValidationError
from rich.text import Text

from service import __version__
from training.commands import (
    doctor,
    evaluate,
    examples,
    inspecting,
    make,
    portrait,
    revise,
    sample,
    tune,
)
from training.commands.arguments import Process, option_name
from training.commands.failures import explained
from training.commands.misspelt import in_words, misspelt, wrong_value
from training.commands.status import DONE, FAILED, INTERRUPTED, MISUSED
from training.loop.memory import keep_freed_memory
from training.loop.workers import joined_workers
from training.terminal import error_console, keep_descriptors, output_console


def command_line() -> App:
    """The verbs and what each of them can be told."""
    app = App(
        name="lstm-train",
        help="Make a language model of a text, on this computer, and publish it for lstm-serve.",
        help_epilogue=examples.OF_ALL,
        help_format="plaintext",
        version=f"lstm-train {__version__}",
        # Without --no-resume and the like; a default of nothing is not worth showing.
        default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
        error_formatter=_complaint,
        console=output_console(),
        error_console=error_console(),
    )
    for verb in (
        portrait.look,
        make.run,
        make.train,
        evaluate.evaluate,
        sample.sample,
        make.export,
        make.publish,
        revise.revise,
        inspecting.inspect,
        tune.compare,
        tune.find_lr,
        tune.sweep,
        tune.gradients,
        doctor.doctor,
    ):
        app.command(verb, sort_key=len(list(app)))
    for name, examples_of_verb in examples.OF_VERB.items():
        app[name].help_epilogue = examples_of_verb
    app.register_install_completion_command(help="Let the shell complete commands and options.")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words of a command line say; returns the exit status."""
    keep_descriptors()
    app = command_line()
    words = sys.argv[1:] if arguments is None else list(arguments)
    if not words:
        app.help_print(console=app.error_console)
        return MISUSED
    try:
        verb, bound, _ = app.parse_args(words, exit_on_error=False, print_error=True)
    except CycloptsError:
        return MISUSED
    if "process" not in bound.signature.parameters:  # --help, --version, --install-completion
        verb(*bound.args, **bound.kwargs)
        return DONE
    process = bound.arguments.get("process", Process())
    if process.threads is not None:
        torch.set_num_threads(process.threads)
    keep_freed_memory()
    try:
        with joined_workers() as workers:
            here = {"workers": workers, "console": output_console(quiet=not workers.is_first)}
            bound.arguments["process"] = process.model_copy(update=here)
            return int(verb(*bound.args, **bound.kwargs))
    except KeyboardInterrupt:
        error_console().print("lstm-train: stopped")
        return INTERRUPTED
    except Exception as error:
        message = explained(error)
        if message is None:  # a fault of the program
            raise
        error_console().print(Text(f"lstm-train: {message}"))
        return FAILED


def _complaint(error: CycloptsError) -> Text:
    """What is wrong with a command line, in one line, and where to read more."""
    verb = " ".join(["lstm-train", *(error.command_chain or ())])
    if complaint := misspelt(command_line(), error.root_input_tokens or ()):
        return Text(f"lstm-train: {complaint}; see {verb} --help")
    if isinstance(error.__cause__, ValidationError):
        fault = error.__cause__.errors(include_url=False)[0]
        message = wrong_value(fault)
        where = "".join(f"{option_name(str(field))}: " for field in fault["loc"][:1])
        return Text(f"lstm-train: {where}{message}; see {verb} --help")
    message = in_words(error)
    return Text(f"lstm-train: {message.rstrip('.')}; see {verb} --help")


if __name__ == "__main__":
    sys.exit(main())
