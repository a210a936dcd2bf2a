"""docker-compose.scale.yml: three replicas behind nginx, as people start them.

Where no image registry is reached, nginx and Redis are made from packages (stand-ins.yml).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.container.composing import Compose, docker, wait_until_healthy
from tests.e2e.running_server import read_stream
from tests.session_writers import check, created, undisturbed, wait_for_mending, write
from tests.waiting import wait_for

pytestmark = [pytest.mark.container, pytest.mark.timeout(1200)]

REQUEST = {"prompt": "ROMEO:", "max_tokens": 200, "seed": 7}
NUM_SESSIONS, NUM_TURNS = 48, 8
UNAVAILABLE = (503, "sessions_unavailable")


@dataclass(frozen=True)
class Scaled:
    """A project that is up."""

    client: httpx.Client
    compose: Compose

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self.compose("ps", "--quiet", service).split()

    def answered(self) -> set[str]:
        """Addresses of the replicas that nginx has had an answer of."""
        [gateway] = self.containers("gateway")
        shown = subprocess.run(
            ["docker", "logs", gateway], capture_output=True, text=True, check=True
        )
        lines = re.findall(r'" 200 \d+ request=\S+ replica=(?:[^ ]+, )?([\d.:]+) ', shown.stdout)
        return set(lines)


@pytest.fixture(scope="module")
def scaled() -> Iterator[Scaled]:
    """Gateway, three replicas and Redis, built, up and healthy; taken down whatever happens."""
    if shutil.which("docker") is None:
        pytest.fail("no docker command: `make container-test` needs a Docker engine")
    files = ["docker-compose.scale.yml"]
    if not _reaches_a_registry():
        files.append("tests/container/stand-ins.yml")
    compose = Compose(*files)
    try:
        compose("build")
        compose("up", "--detach", "--scale", "replica=3")
        for service in ("redis", "replica", "gateway"):
            for container in compose("ps", "--quiet", service).split():
                wait_until_healthy(container)
        with httpx.Client(base_url=f"http://127.0.0.1:{compose.port}", timeout=60) as client:
            yield Scaled(client, compose)
    finally:
        compose("down", "--volumes", "--remove-orphans")


def _reaches_a_registry() -> bool:
    pulled = subprocess.run(["docker", "pull", "--quiet", "nginx:1.30-alpine"], check=False)
    return pulled.returncode == 0


def test_every_replica_writes_the_same_text(scaled: Scaled):
    """Whole and streamed, whoever is asked."""
    assert 3 == len(scaled.containers("replica"))
    texts = set()
    for _ in range(12):
        texts.add(scaled.client.post("/generate", json=REQUEST).raise_for_status().json()["text"])
        texts.add("".join(event["text"] for event in read_stream(scaled.client, REQUEST)))

    assert 1 == len(texts)
    assert 3 == len(scaled.answered())


@pytest.mark.parametrize("service", ["gateway", "replica", "redis"])
def test_nobody_is_root_and_writes_elsewhere(scaled: Scaled, service: str):
    """Than on its volume and in /tmp."""
    container = scaled.containers(service)[0]
    assert docker("exec", container, "id", "-u") != "0"
    for folder in ("/", "/etc", "/usr"):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            docker("exec", container, "touch", f"{folder}/written")
        assert "Read-only file system" in refused.value.stderr


def test_only_the_gateway_is_reached_from_outside(scaled: Scaled):
    """No port of a replica or of Redis is published, and nginx is not in the network of Redis."""
    networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    found = {}
    for service in ("gateway", "replica", "redis"):
        container = scaled.containers(service)[0]
        ports = docker("inspect", "--format", "{{json .HostConfig.PortBindings}}", container)
        names = docker("inspect", "--format", networks, container).split()
        found[service] = ("HostPort" in ports, {name.rpartition("_")[2] for name in names})

    assert found == {
        "gateway": (True, {"front"}),
        "replica": (False, {"front", "back"}),
        "redis": (False, {"back"}),
    }


def test_every_turn_is_had_once_whatever_happens_to_replicas_and_redis(
    scaled: Scaled, tmp_path: Path
):
    """48 sessions: a replica is killed and started, then Redis, then all replicas are rolled."""
    expected = undisturbed(tmp_path, NUM_SESSIONS, NUM_TURNS)
    writers = created([f"http://127.0.0.1:{scaled.compose.port}"], NUM_SESSIONS)
    replicas = scaled.containers("replica")
    [redis] = scaled.containers("redis")

    def restart_redis() -> None:
        docker("kill", redis)
        wait_for_mending(writers, UNAVAILABLE)
        docker("start", redis)

    def start(container: str) -> None:
        docker("start", container)
        wait_until_healthy(container)

    def roll(container: str) -> None:
        docker("restart", "--time", "30", container)
        wait_until_healthy(container)

    disturbances: list[Callable[[], object]] = [partial(docker, "kill", replicas[0])]
    disturbances += [partial(start, replicas[0]), restart_redis]
    disturbances += [partial(roll, each) for each in replicas]
    mended = write(writers, NUM_TURNS, disturbances)

    assert mended[UNAVAILABLE]
    check(writers, expected)


def test_a_replica_that_is_killed_is_not_noticed(scaled: Scaled):
    """Requests that begin afterwards are answered by the others."""
    killed = scaled.containers("replica")[0]
    docker("kill", killed)
    answers = [scaled.client.get("/models").status_code for _ in range(30)]
    answers += [scaled.client.post("/generate", json=REQUEST).status_code for _ in range(30)]
    docker("start", killed)
    wait_until_healthy(killed)

    assert {200} == set(answers)


def test_a_new_replica_gets_requests_without_anybody_telling_nginx(scaled: Scaled):
    """And one that is taken away is not missed."""
    before = scaled.answered()
    scaled.compose("up", "--detach", "--no-recreate", "--scale", "replica=4")

    def has_been_asked() -> bool:
        assert scaled.client.get("/models").is_success
        return len(scaled.answered() - before) == 1

    assert 4 == len(scaled.containers("replica"))
    wait_for(has_been_asked, "an answer of the new one", timeout_s=90)
    scaled.compose("up", "--detach", "--no-recreate", "--scale", "replica=2")
    answers = {scaled.client.get("/models").status_code for _ in range(30)}

    assert (2, {200}) == (len(scaled.containers("replica")), answers)
