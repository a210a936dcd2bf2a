"""deploy/kubernetes: what Kubernetes itself would refuse, and what it would not notice."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.app import create_app
from service.settings import ENV_PREFIX, Settings
from tests.deploy.manifests import (
    FOLDER,
    Object,
    kustomization,
    labels_of,
    named,
    objects,
    pod_of,
    settings,
    workloads,
)
from tests.tiny_model import publish

OLDEST = "1.29"
VERSIONS = [OLDEST, kubernetes_validate.latest_version()]
PASSWORD = "password=0123456789\n"


def _name(found: Object) -> str:
    return f"{found['kind']}-{found['metadata']['name']}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("found", objects(), ids=_name)
def test_every_object_is_one_of_kubernetes(found: Object, version: str):
    """No field is unknown, missing or of another type, in the oldest version and the newest."""
    kubernetes_validate.validate(found, version, strict=True)


def test_a_field_that_does_not_exist_is_noticed():
    """The validation above is strict, also deep inside."""
    wrong = copy.deepcopy(named("Deployment"))
    pod_of(wrong)["containers"][0]["readinesProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_every_file_is_applied():
    """And the oldest version is the one that is said."""
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}

    assert files == set(kustomization()["resources"])
    text = (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
    assert f"Kubernetes {OLDEST} or newer" in text


def test_every_selector_finds_its_pods():
    """Those of services, budgets, policies, the spread and the autoscaler."""
    pods = {each["metadata"]["name"]: labels_of(each) for each in workloads()}
    assert 2 == len(pods)
    for each in workloads():
        assert labels_of(each) == each["spec"]["selector"]["matchLabels"]
    for found in objects():
        name, spec = found["metadata"]["name"], found.get("spec", {})
        match found["kind"]:
            case "Service":
                assert pods[name] == spec["selector"]
            case "PodDisruptionBudget":
                assert pods[name] == spec["selector"]["matchLabels"]
            case "NetworkPolicy":
                assert pods[name] == spec["podSelector"]["matchLabels"]
            case "HorizontalPodAutoscaler":
                target = spec["scaleTargetRef"]
                assert target.pop("name") in pods
                assert {"apiVersion": "apps/v1", "kind": "Deployment"} == target
    for spread in pod_of(named("Deployment"))["topologySpreadConstraints"]:
        assert pods["lstm-serve"] == spread["labelSelector"]["matchLabels"]


def test_policies_let_through_what_is_needed_and_no_more():
    """Clients to replicas, replicas to Redis and to the cluster's DNS, nobody else to Redis."""
    replica, redis = (named("NetworkPolicy", name)["spec"] for name in _NAMES)
    pods = {name: {"podSelector": {"matchLabels": labels_of(_workload(name))}} for name in _NAMES}

    assert [{"ports": [{"port": _port("lstm-serve")}]}] == replica["ingress"]
    to_redis, to_names = replica["egress"]
    assert {"to": [pods["lstm-serve-redis"]], "ports": [{"port": _port(_NAMES[1])}]} == to_redis
    assert [("UDP", 53), ("TCP", 53)] == [(p["protocol"], p["port"]) for p in to_names["ports"]]
    assert [{"from": [pods["lstm-serve"]], "ports": to_redis["ports"]}] == redis["ingress"]
    assert "egress" not in redis
    for policy in (replica, redis):
        assert ["Ingress", "Egress"] == policy["policyTypes"]


_NAMES = ("lstm-serve", "lstm-serve-redis")


def _workload(name: str) -> Object:
    [found] = [each for each in workloads() if each["metadata"]["name"] == name]
    return found


def _port(name: str) -> int:
    [container] = pod_of(_workload(name))["containers"]
    [port] = container["ports"]
    found: int = port["containerPort"]
    return found


@pytest.mark.parametrize("name", _NAMES)
def test_services_and_probes_name_ports_that_there_are(name: str):
    """Each by the name that the container gives it."""
    [container] = pod_of(_workload(name))["containers"]
    names = {port["name"] for port in container["ports"]}

    assert {each["targetPort"] for each in named("Service", name)["spec"]["ports"]} <= names
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container[kind]
        asked = probe.get("httpGet") or probe.get("tcpSocket")
        assert asked is None or asked["port"] in names


def test_probes_ask_routes_of_the_server(tmp_path: Path):
    """Readiness is for new requests; liveness and the start ask whether a restart would help."""
    publish(tmp_path)
    paths = create_app(Settings(model_store=tmp_path, session_store="memory://")).openapi()["paths"]
    [container] = pod_of(named("Deployment"))["containers"]
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }

    live, ready = "/health/live", "/health/ready"
    assert {"startup": live, "readiness": ready, "liveness": live} == asked
    assert {live, ready} <= set(paths)


def test_the_port_is_the_images():
    """The Dockerfile says where the server listens."""
    dockerfile = (FOLDER.parents[1] / "Dockerfile").read_text(encoding="utf-8")

    assert re.findall(r"LSTM_SERVE_PORT=(\d+)", dockerfile) == [str(_port("lstm-serve"))]


def test_every_variable_is_a_setting():
    """Of the server, with a value that it takes."""
    [container] = pod_of(named("Deployment"))["containers"]
    direct = {each["name"]: each for each in container["env"]}
    ours = {name for name in (*direct, *settings()) if name.startswith(ENV_PREFIX)}

    assert ours <= {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    assert ours == {*direct, *settings()} - {"REDIS_PASSWORD"}
    values = {name.removeprefix(ENV_PREFIX).lower(): value for name, value in settings().items()}
    Settings.model_validate(values)


def test_what_variables_name_is_there():
    """The settings and the password; a variable is defined before another one uses it."""
    made = kustomization()
    [settings_map], [secret] = made["configMapGenerator"], made["secretGenerator"]
    for workload in workloads():
        [container] = pod_of(workload)["containers"]
        known: set[str] = set()
        for each in container["env"]:
            reference = each.get("valueFrom", {}).get("secretKeyRef")
            if reference is not None:
                assert (secret["name"], "password") == (reference["name"], reference["key"])
            assert set(re.findall(r"\$\((\w+)\)", each.get("value", ""))) <= known
            known.add(each["name"])
        for argument in container.get("args", []):
            assert set(re.findall(r"\$\((\w+)\)", argument)) <= known
        for source in container.get("envFrom", []):
            assert settings_map["name"] == source["configMapRef"]["name"]


def test_the_store_is_the_redis_that_is_deployed():
    """Its service, its port, and a password that both have."""
    [container] = pod_of(named("Deployment"))["containers"]
    [url] = [
        each["value"] for each in container["env"] if each["name"] == f"{ENV_PREFIX}SESSION_STORE"
    ]
    [service] = named("Service", "lstm-serve-redis")["spec"]["ports"]
    redis = named("StatefulSet", "lstm-serve-redis")

    assert f"redis://:$(REDIS_PASSWORD)@lstm-serve-redis:{service['port']}/0" == url
    assert redis["spec"]["serviceName"] == "lstm-serve-redis"
    arguments = pod_of(redis)["containers"][0]["args"]
    assert "$(REDIS_PASSWORD)" == arguments[arguments.index("--requirepass") + 1]


def test_no_text_is_cut_off_by_sigkill():
    """Kubernetes' patience is longer than the wait before SIGTERM and the server's own together."""
    pod = pod_of(named("Deployment"))
    [container] = pod["containers"]
    [_, wait_s] = container["lifecycle"]["preStop"]["exec"]["command"]
    grace_period_s = float(settings()[f"{ENV_PREFIX}GRACE_PERIOD_S"])

    assert int(wait_s) + grace_period_s + 15 <= pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("workload", workloads(), ids=_name)
def test_a_pod_may_do_nothing_that_it_need_not(workload: Object):
    """No root, no privilege, no token, no writing but where it must; bounded memory."""
    pod = pod_of(workload)
    [container] = pod["containers"]
    mounts = {each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"] for each in pod["volumes"]}
    claims = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])}

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert {"type": "RuntimeDefault"} == pod["securityContext"]["seccompProfile"]
    assert (False, False) == (pod["automountServiceAccountToken"], pod["enableServiceLinks"])
    assert named("ServiceAccount")["metadata"]["name"] == pod["serviceAccountName"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert mounts == volumes | claims
    assert all("sizeLimit" in each["emptyDir"] for each in pod["volumes"])


def test_redis_forgets_nothing_that_was_confirmed_here_and_in_compose():
    """The same durability in both, and room for its own copy while it rewrites its file."""
    text = (FOLDER.parents[1] / "docker-compose.scale.yml").read_text(encoding="utf-8")
    compose = yaml.safe_load(text)["services"]["redis"]
    [container] = pod_of(named("StatefulSet", "lstm-serve-redis"))["containers"]
    arguments = [*container["command"], *container["args"]]

    assert ["--requirepass", "$(REDIS_PASSWORD)"] == arguments[-2:]
    assert ["--protected-mode", "no"] == compose["command"][-2:]
    assert arguments[:-2] == compose["command"][:-2]
    assert "always" == arguments[arguments.index("--appendfsync") + 1]
    assert compose["image"] == "${REDIS_IMAGE:-" + container["image"] + "}"


def test_kustomize_makes_of_it_what_is_valid(tmp_path: Path):
    """By `kubectl kustomize`, where there is a kubectl; with a password of the test's."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl")
    folder = shutil.copytree(FOLDER, tmp_path / "kubernetes")
    (folder / "redis.env").write_text(PASSWORD, encoding="utf-8")
    command = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    made: list[dict[str, Any]] = list(yaml.safe_load_all(done.stdout))
    for found in made:
        kubernetes_validate.validate(found, OLDEST, strict=True)

    assert {"ConfigMap", "Secret"} == {each["kind"] for each in made} - {
        each["kind"] for each in objects()
    }
