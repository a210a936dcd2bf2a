"""What a case has to reach, and the table."""

from __future__ import annotations

from typing import Any

from benchmarks.abuse.scene import Case

MOST_PROBE_P99_MS = 50.0
MOST_PROBE_MS = 250.0
MOST_NEIGHBOUR_MS = 1000.0
MOST_RESIDENT = 2**30
_MIB = 2**20


def faults(case: Case, found: dict[str, Any]) -> list[str]:
    """What of a case's figures is not as it should be."""
    probe, neighbour, seen = found["probe_ms"], found["neighbour_ms"], found["seen"]
    num_silent, num_failed = len(found["probe_failures"]), len(found["neighbour_failures"])
    resident = found["resident_bytes"] or {"before": 0, "most": 0}
    growth = resident["most"] - resident["before"]
    is_slow = probe["p99"] > MOST_PROBE_P99_MS or probe["max"] > MOST_PROBE_MS
    no_probe, no_neighbour = ("probe" in case.excused, "neighbour" in case.excused)
    checks = {
        f"{num_silent} probes failed": num_silent and not no_probe,
        "liveness is too slow": is_slow and not no_probe,
        f"the neighbour failed {num_failed} times": num_failed and not no_neighbour,
        "the neighbour waits too long": neighbour["max"] > MOST_NEIGHBOUR_MS and not no_neighbour,
        "more than 1 GB is resident": resident["most"] > MOST_RESIDENT,
        f"memory grew by {growth / _MIB:.0f} MB": growth > (case.most_growth_bytes or growth),
        f"{seen['outside']} errors outside of the one shape": seen["outside"],
        f"{seen['without_id']} answers without an id": seen["without_id"],
        f"{found['tracebacks']} tracebacks": found["tracebacks"],
        "the server is gone": not found["alive"] and not case.ends_server,
        "liveness says 503 while it drains": case.drains and _num_refused_probes(found),
    }
    special = [_shown(what, fault) for what, fault in found["faults"].items()]
    return [*special, *(what for what, is_so in checks.items() if is_so)]


def _num_refused_probes(found: dict[str, Any]) -> int:
    return sum(failure.startswith("503") for failure in found["probe_failures"])


def _shown(what: str, fault: dict[str, Any]) -> str:
    """A fault of one case, with an example."""
    times = f"{fault['times']} times" if fault["times"] > 1 else ""
    details = ", ".join(part for part in (times, fault["example"]) if part)
    return f"{what} ({details})" if details else what


_HEADER = (
    f"{'':24}{'liveness ms':>20}{'neighbour ms':>14}{'':>6}{'most':>6}\n"
    f"{'case':24}{'p50/p99/max':>20}{'p50/max':>14}{'fail':>6}{'MB':>6}"
    f"{'shape':>7}{'no id':>7}{'trace':>7}  ok   answers"
)


def header() -> str:
    """Of the table."""
    return _HEADER


def line(name: str, found: dict[str, Any]) -> str:
    """A line of the table, for one case."""
    probe = "/".join(f"{value:.0f}" for value in found["probe_ms"].values())
    neighbour = "/".join(f"{found['neighbour_ms'].get(p, 0):.0f}" for p in ("p50", "max"))
    resident = found["resident_bytes"]
    most = f"{resident['most'] / _MIB:.0f}" if resident else "-"
    tracebacks = "-" if found["tracebacks"] is None else found["tracebacks"]
    failed = len(found["probe_failures"]) + len(found["neighbour_failures"])
    answers = " ".join(f"{status}:{n}" for status, n in sorted(found["seen"]["by_status"].items()))
    return (
        f"{name:24}{probe:>20}{neighbour:>14}{failed:>6}{most:>6}"
        f"{found['seen']['outside']:>7}{found['seen']['without_id']:>7}{tracebacks:>7}"
        f"  {'no ' if found['wrong'] else 'yes'}  {answers}"
    )
