"""The bench of attacks measures what it says, on a model of no size."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.abuse import __main__ as abuse
from benchmarks.abuse import figures
from benchmarks.abuse.cases import ALL
from benchmarks.abuse.scene import CASES
from benchmarks.abuse.sightings import Sightings, has_the_shape
from benchmarks.abuse.watch import milliseconds, with_omitted
from tests.tiny_model import publish


@pytest.mark.e2e
@pytest.mark.slow
def test_each_case_gives_a_line_and_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Clients of all kinds are counted, the neighbour and the probe too, and the status says ok."""
    publish(tmp_path / "store")
    report_file = tmp_path / "report.json"
    names = ["many-headers", "replacement-characters", "turns", "sigterm", "mix"]

    with pytest.raises(SystemExit) as ended:
        abuse.main(
            [
                *("--model-store", str(tmp_path / "store"), "--only", ",".join(names)),
                *("--seconds", "0.3", "--turns", "20", "--minutes", "0.01"),
                *("--json", str(report_file)),
            ]
        )

    cases = json.loads(report_file.read_text(encoding="utf-8"))["cases"]
    assert names == list(cases)
    for found in cases.values():
        assert found["probes"] > 0
        assert found["questions"] > 0
        assert found["resident_bytes"]["most"] >= found["resident_bytes"]["before"] > 0
        assert sum(found["seen"]["by_status"].values()) > found["questions"]
    talks = cases["turns"]["figures"]
    assert talks["turns"] + talks.get("failed after text", 0) == 20
    assert not cases["sigterm"]["alive"]
    assert any(found["wrong"] for found in cases.values()) == (ended.value.code == 1)
    shown = capsys.readouterr().out
    assert all(f"\n{name} " in shown for name in names)


def test_every_case_says_what_it_does_and_is_in_the_table():
    """A case that no table shows would be forgotten."""
    assert sorted(CASES) == sorted(case.name for case in ALL)
    assert [] == [case.name for case in ALL if not case.attack.__doc__]


def test_only_a_server_on_this_machine_is_attacked(capsys: pytest.CaptureFixture[str]):
    """Whatever the URL is."""
    for url in ("http://192.0.2.1:8000", "http://example.org", "nonsense"):
        with pytest.raises(SystemExit):
            abuse.main(["--url", url])
        assert "only a server on this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error":{"code":"c","message":"m","param":null}}', True),
        (b'{"error":{"code":"c","message":"m","param":"p"}}', True),
        (b'{"error":{"code":"c","message":"m"}}', False),
        (b'{"error":{"code":"c","message":"m","param":null},"more":1}', False),
        (b'{"detail":"Not Found"}', False),
        (b"Internal Server Error", False),
        (b"", False),
        (b"[]", False),
    ],
)
def test_errors_of_another_shape_are_seen(body: bytes, expected: bool):
    """Whatever is not 2xx has to be the one shape, and everything has an id."""
    seen = Sightings()

    seen.note(400, {"x-request-id": "r"}, body)
    seen.note(200, {}, b"no JSON")

    assert expected == has_the_shape(body)
    assert (0 if expected else 1, 1) == (seen.outside, seen.without_id)


def test_questions_that_were_not_asked_had_to_wait_too():
    """One answer after 100 ms stands for five of a probe that asks every 20."""
    times_s = with_omitted([0.001, 0.1], 0.02)

    assert pytest.approx([0.001, 0.02, 0.04, 0.06, 0.08, 0.1], abs=0.0011) == sorted(
        t for t in times_s if t > 0
    )
    assert milliseconds(times_s)["max"] == 100
    assert milliseconds([]) == {}


def _found(**different: Any) -> dict[str, Any]:
    found = {
        "probe_ms": {"p50": 1.0, "p99": 50.0, "max": 250.0},
        "neighbour_ms": {"p50": 10.0, "p99": 900.0, "max": 1000.0},
        "probe_failures": [],
        "neighbour_failures": [],
        "resident_bytes": {"before": 1, "most": 2**30},
        "seen": vars(Sightings()),
        "tracebacks": 0,
        "alive": True,
        "faults": {},
    }
    return found | different


@pytest.mark.parametrize(
    "different",
    [
        {"probe_ms": {"p50": 1.0, "p99": 50.1, "max": 51.0}},
        {"probe_ms": {"p50": 1.0, "p99": 5.0, "max": 251.0}},
        {"neighbour_ms": {"p50": 1.0, "p99": 5.0, "max": 1001.0}},
        {"probe_failures": ["refused"]},
        {"neighbour_failures": ["429"]},
        {"resident_bytes": {"before": 1, "most": 2**30 + 1}},
        {"seen": vars(Sightings(outside=1))},
        {"seen": vars(Sightings(without_id=1))},
        {"tracebacks": 1},
        {"alive": False},
        {"faults": {"something else": {"times": 1, "example": ""}}},
    ],
)
def test_each_figure_has_a_bound(different: dict[str, Any]):
    """At the bound all is well; beyond it there is one fault."""
    case = CASES["plain-streams"]

    assert [] == figures.faults(case, _found())
    assert len(figures.faults(case, _found(**different))) == 1
