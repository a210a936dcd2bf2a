"""docs/operations.md names what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from service.settings import ENV_PREFIX, Settings

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
OBSERVABILITY = (REPOSITORY / "docs" / "observability.md").read_text(encoding="utf-8")


def test_every_file_is_there():
    """Of deploy/, those of Kubernetes by their folder, those that watch on a page of their own.

    Every link leads somewhere.
    """
    files = [path for path in (REPOSITORY / "deploy").rglob("*") if path.is_file()]
    links = re.findall(r"\]\((\.\./[^)#]+)", PAGE + OBSERVABILITY)

    assert len(files) > 10
    for path in files:
        if path.parent.name == "kubernetes":
            assert "](../deploy/kubernetes/kustomization.yaml)" in PAGE
        else:
            page = OBSERVABILITY if "observability" in path.parts else PAGE
            assert f"](../{path.relative_to(REPOSITORY)})" in page
    assert [] == [link for link in links if not (REPOSITORY / "docs" / link).exists()]


def test_every_setting_that_it_names_is_one():
    """As an option of the server or as a variable."""
    options = set(re.findall(r"`--([a-z-]+)`", PAGE))
    variables = set(re.findall(rf"{ENV_PREFIX}(\w+)", PAGE))

    assert len(options) > 5
    assert {name.replace("-", "_") for name in options} <= set(Settings.model_fields)
    assert {name.lower() for name in variables} <= set(Settings.model_fields)


def test_every_section_is_in_its_table_of_contents():
    """By the name that links use."""
    headings = re.findall(r"^## (.+)$", PAGE, re.M)
    listed = re.findall(r"\d+\. \[([^]]+)\]\(#([^)]+)\)", PAGE)

    assert headings == [title for title, _ in listed]
    assert [title.lower().replace(" ", "-") for title in headings] == [name for _, name in listed]


def test_errors_of_the_proxies_are_explained():
    """They have codes of their own, but for what they hide."""
    codes = set()
    for path in (REPOSITORY / "deploy").rglob("*"):
        if path.is_file():
            codes |= set(re.findall(r'"code":"(\w+)"', path.read_text(encoding="utf-8")))

    assert {"no_replica", "body_too_large", "not_found"} == codes
    assert "`/metrics` is `not_found`" in PAGE
    assert "`no_replica`" in PAGE
