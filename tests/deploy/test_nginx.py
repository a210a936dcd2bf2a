"""deploy/nginx: what Caddy has no like of, and that its numbers fit the server's."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from tests.deploy.proxies import DEPLOY, free_port, nginx, nginx_folder, on_hosts, program
from tests.deploy.upstream import PATIENCE_S, upstream
from tests.e2e.running_server import PLAIN, RunningServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONF = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")


def test_silence_is_cut_later_than_the_server_breaks_it():
    """Both that of a stream and that before a whole answer."""
    settings = Settings(_env_file=None)
    [read_timeout_s] = re.findall(r"proxy_read_timeout +(\d+)s;", CONF)

    assert settings.max_timeout_s < int(read_timeout_s)
    assert settings.stream_keep_alive_s < int(read_timeout_s) / 10


def test_the_bounds_are_those_of_the_server():
    """A connection is kept for less long than the server keeps it; a body is as large."""
    settings = Settings(_env_file=None)
    [body_mb] = re.findall(r"client_max_body_size +(\d+)m;", CONF)
    [body_timeout_s] = re.findall(r"client_body_timeout +(\d+)s;", CONF)
    [send_timeout_s] = re.findall(r"\bsend_timeout +(\d+)s;", CONF)
    for name in ("hosts", "docker"):
        text = (DEPLOY / "nginx" / f"replicas.{name}.conf").read_text(encoding="utf-8")
        [keep_alive_s] = re.findall(r"keepalive_timeout +(\d+)s;", text)
        assert int(keep_alive_s) < settings.keep_alive_s

    assert settings.max_body_bytes == int(body_mb) << 20
    assert settings.body_timeout_s == int(body_timeout_s)
    assert settings.write_timeout_s == int(send_timeout_s)


def test_a_request_has_one_id_from_end_to_end(server: RunningServer, tmp_path: Path):
    """The client's, or one that nginx made; the server logs the same one."""
    with (
        nginx(tmp_path, server.port) as url,
        httpx.Client(base_url=url, timeout=30, verify=PLAIN) as client,
    ):
        mine = client.get("/models", headers={"X-Request-Id": "through-nginx"})
        made = client.get("/models")

    assert "through-nginx" == mine.headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", made.headers["X-Request-Id"])
    for answer in (mine, made):
        wait_for(partial(_is_logged, server.log, answer.headers["X-Request-Id"]), "its line")


def _is_logged(log: Path, request_id: str) -> bool:
    return f'"{request_id}"' in log.read_text(encoding="utf-8")


def test_the_log_tells_no_session(tmp_path: Path):
    """Who knows the id of one may use it; the id of the request is there."""
    paths = ("/sessions/s_secret", "/sessions/s_secret/log?after=1", "/sessions/import")
    with (
        upstream(lambda exchange: exchange.say(200, X_Request_Id="r_77")) as behind,
        nginx(tmp_path, behind.port) as url,
    ):
        for path in paths:
            httpx.get(f"{url}{path}", timeout=PATIENCE_S, verify=PLAIN)
    log = (tmp_path / "proxy.log").read_text(encoding="utf-8")

    assert "secret" not in log
    assert 3 == log.count("request=r_77")
    for path in ("{session_id}", "{session_id}/log", "import"):
        assert f'"GET /sessions/{path}" 200' in log


@pytest.mark.parametrize("name", ["hosts", "docker"])
def test_each_way_to_say_where_the_replicas_are_is_accepted(tmp_path: Path, name: str):
    """By `nginx -t`; `resolve` by those from 1.27.3 on."""
    nginx_program = program("nginx")
    shown = subprocess.run([nginx_program, "-v"], capture_output=True, text=True, check=True)
    [version] = re.findall(r"nginx/(\d+)\.(\d+)\.(\d+)", shown.stderr)
    if name == "docker" and tuple(map(int, version)) < (1, 27, 3):
        pytest.skip(f"nginx {'.'.join(version)} knows no `resolve`; the container test has one")
    replicas = (DEPLOY / "nginx" / f"replicas.{name}.conf").read_text(encoding="utf-8")
    conf = nginx_folder(tmp_path, free_port(), replicas)
    command = [nginx_program, "-t", "-c", str(conf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert "[warn]" not in done.stderr.replace('the "user" directive', "")


def test_both_lists_of_replicas_say_the_same():
    """But for where the replicas are."""
    assert on_hosts(1, 2).count("server 127.0.0.1") == 2
    lines = []
    for name in ("hosts", "docker"):
        text = (DEPLOY / "nginx" / f"replicas.{name}.conf").read_text(encoding="utf-8")
        _, _, group = text.partition("upstream replicas {")
        group = re.sub(r"server \S+( resolve)?", "server X", group)
        lines.append(sorted(set(group.splitlines())))

    assert lines[0] == lines[1]
