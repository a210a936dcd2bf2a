"""Dashboard and rules ask for what a live server tells, and Prometheus' own tool takes them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.service.observability.scraped import application, scrape, use

DEPLOY = Path(__file__).parents[2] / "deploy" / "observability"
DASHBOARD = json.loads(
    (DEPLOY / "grafana" / "dashboards" / "lstm-serve.json").read_text(encoding="utf-8")
)
_METRIC = re.compile(r"\b(?:lstm_serve|process)_[a-z_]+")


def _queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


def _rules() -> list[dict[str, str]]:
    rules = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Of all series of a server that was used."""
    folder = tmp_path_factory.mktemp("deploy")
    with application(folder, session_store="memory://") as client:
        use(client)
        return {name for name, _ in scrape(client)}


@pytest.mark.parametrize("query", _queries())
def test_the_dashboard_asks_for_what_there_is(query: str, names: set[str]):
    """Each metric of each query."""
    wanted = set(_METRIC.findall(query))

    assert wanted
    assert set() == wanted - names


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule["alert"])
def test_rules_ask_for_what_there_is(rule: dict[str, str], names: set[str]):
    """Each metric of each rule, and of what it says; but for `up`, which is Prometheus' own."""
    text = rule["expr"] + json.dumps(rule["annotations"])
    wanted = set(_METRIC.findall(text))

    assert wanted or "up{" in rule["expr"]
    assert set() == {name for name in wanted if not _is_there(name, names)}


def _is_there(name: str, names: set[str]) -> bool:
    return name in names or f"{name}_count" in names


def test_variables_of_the_dashboard_are_labels_that_there_are(names: set[str]):
    """`label_values(metric, label)`."""
    for variable in DASHBOARD["templating"]["list"]:
        assert set(_METRIC.findall(variable["query"])) <= names


def test_panels_do_not_overlap():
    """Each place of the grid is of one panel, and ids are unique."""
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(places) == len(set(places))
    assert len(DASHBOARD["panels"]) == len({panel["id"] for panel in DASHBOARD["panels"]})


def test_compose_mounts_what_there_is():
    """Every file and folder that the profile takes from here."""
    compose = yaml.safe_load((DEPLOY.parents[1] / "docker-compose.yml").read_text(encoding="utf-8"))
    services = [
        each for each in compose["services"].values() if "observability" in each.get("profiles", ())
    ]
    mounted = [
        volume.split(":")[0]
        for service in services
        for volume in service["volumes"]
        if volume.startswith("./")
    ]

    assert len(mounted) == 4
    assert [] == [path for path in mounted if not (DEPLOY.parents[1] / path).exists()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_takes_them(arguments: list[str]):
    """Prometheus' own parser, and what the alerts fire on."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    done = subprocess.run(
        [promtool, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stdout + done.stderr
