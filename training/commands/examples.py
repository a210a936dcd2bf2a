"""An example for each verb of `lstm-train`, as `--help` shows them. Tests parse every one."""

from __future__ import annotations

OF_ALL = """\
Examples:
  what a text is, and how long a training of it takes
    lstm-train look my.txt
  a text of your own, start to end
    lstm-train run my.txt
  a published model, by a config that says all
    lstm-train run training/configs/shakespeare.toml
  go on after Ctrl-C, kill or power cut
    lstm-train run --resume --run-dir runs/my
  let it write
    lstm-train sample --model my --prompt "Once "
  how well it knows another text
    lstm-train evaluate --model my --text other.txt
  let the shell complete commands and options
    lstm-train --install-completion

Texts of all kinds: docs/texts.md; configs: docs/training.md; a way through: docs/tutorial.md
"""

OF_VERB = {
    "look": """\
Examples:
  lstm-train look my.txt
  lstm-train look poems/ --output look.png
""",
    "run": """\
Examples:
  lstm-train run my.txt
  lstm-train run poems/ --items files --name poet
  lstm-train run names.txt --items lines
  lstm-train run training/configs/shakespeare.toml --epochs 3
""",
    "train": """\
Examples:
  lstm-train train my.txt --epochs 5
  lstm-train train --resume --run-dir runs/my
""",
    "evaluate": """\
Examples:
  lstm-train evaluate --run-dir runs/my
  lstm-train evaluate --model my --text other.txt --places 20
""",
    "sample": """\
Examples:
  lstm-train sample --model my --prompt "Once " --num-tokens 200
  lstm-train sample --run-dir runs/my --temperature 0.7 --num-samples 3
""",
    "export": """\
Example:
  lstm-train export --run-dir runs/my --output my.onnx
""",
    "publish": """\
Example:
  lstm-train publish --run-dir runs/my --store model_store
""",
    "revise": """\
Example:
  lstm-train revise shakespeare --temperature 0.7
""",
    "inspect": """\
Examples:
  lstm-train inspect shakespeare
  lstm-train inspect shakespeare --unit layer1.c.24 --unit layer0.c.378 --output inside
  lstm-train inspect my --text my.txt --num-tokens 20000 --score mutual_information
""",
    "compare": """\
Example:
  lstm-train compare runs/my runs/other --by minutes --output compare.png
""",
    "find-lr": """\
Example:
  lstm-train find-lr training/configs/shakespeare.toml --output find-lr.png
""",
    "sweep": """\
Example:
  lstm-train sweep training/configs/sweeps/names.toml --num-trials 10
""",
    "gradients": """\
Example:
  lstm-train gradients --output gradients.png
""",
    "doctor": """\
Example:
  lstm-train doctor --store model_store
""",
}
"""By the verb; each line that begins with `lstm-train` is a command."""
