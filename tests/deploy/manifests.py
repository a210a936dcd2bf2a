"""The manifests of deploy/kubernetes as data."""

from __future__ import annotations

from typing import Any

import yaml

from tests.deploy.proxies import DEPLOY

FOLDER = DEPLOY / "kubernetes"
Object = dict[str, Any]


def kustomization() -> Object:
    """What `kubectl apply -k` reads."""
    text = (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
    found: Object = yaml.safe_load(text)
    return found


def objects() -> list[Object]:
    """Every object of every file that the kustomization names."""
    return [
        found
        for name in kustomization()["resources"]
        for found in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))
    ]


def named(kind: str, name: str = "lstm-serve") -> Object:
    """The one of this kind and name."""
    [found] = [
        each for each in objects() if (kind, name) == (each["kind"], each["metadata"]["name"])
    ]
    return found


def workloads() -> list[Object]:
    """What makes pods."""
    return [each for each in objects() if each["kind"] in {"Deployment", "StatefulSet"}]


def pod_of(workload: Object) -> Object:
    """The specification of its pods."""
    found: Object = workload["spec"]["template"]["spec"]
    return found


def labels_of(workload: Object) -> dict[str, str]:
    """The labels of its pods."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def settings() -> dict[str, str]:
    """The lines of settings.env."""
    lines = (FOLDER / "settings.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}
