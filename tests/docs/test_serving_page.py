"""docs/serving.md names everything that a client or an operator can meet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.api import errors
from service.api.kserve.schemas import Parameters
from service.api.native.generate_schemas import GenerateRequest
from service.api.native.inspect_schemas import InspectRequest, UnitsRequest
from service.api.native.schemas import GenerateEvent
from service.api.native.text_schemas import ScoreRequest
from service.api.openai.chat_schemas import ChatRequest
from service.api.openai.schemas import CompletionRequest
from service.app import create_app
from service.settings import ENV_PREFIX, Settings
from tests.service.observability.scraped import application, families, use
from tests.tiny_model import publish

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "serving.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_there(name: str):
    """Its option, its variable, its default and its words."""
    field = Settings.model_fields[name]
    [line] = [line for line in PAGE.splitlines() if f"`{ENV_PREFIX}{name.upper()}` |" in line]

    assert f"`--{name.replace('_', '-')}`" in line
    assert str(field.description) in line
    if field.default not in (None, (), ""):
        default = field.default
        assert f"`{default:g}`" if isinstance(default, float) else f"`{default}`" in line


def test_every_route_is_there(tmp_path: Path):
    """With its method."""
    publish(tmp_path)
    paths = create_app(Settings(model_store=tmp_path)).openapi()["paths"]
    routes = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]

    assert len(routes) >= 9
    assert [] == [route for route in routes if f"`{route}`" not in PAGE]


def test_every_metric_is_there(tmp_path: Path):
    """As Prometheus names it, those of the process and those under vLLM's names too."""
    with application(tmp_path, session_store="memory://", metrics_vllm_names=True) as client:
        use(client)
        found = families(client)
    names = [f"{each.name}{'_total' * (each.type == 'counter')}" for each in found]

    assert len(names) > 60
    assert [] == [name for name in names if f"`{name}`" not in PAGE]
    listed = re.findall(r"`(lstm_serve_\w+)` \|", PAGE)
    assert {name for name in names if name.startswith("lstm_serve_")} == set(listed)


def test_every_error_code_is_there():
    """With its status, in a line of its own."""
    codes = {(kind.status, kind.code) for kind in errors.KINDS.values()}
    codes |= set(errors.HTTP_CODES.items()) | set(errors.BELOW_CODES.items())
    codes |= {(422, "invalid_request"), (500, "internal_error")}
    listed = {
        (int(status), code) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", PAGE, re.M)
    }

    assert codes == listed


BODIES = (
    GenerateRequest,
    GenerateEvent,
    ScoreRequest,
    InspectRequest,
    UnitsRequest,
    CompletionRequest,
    ChatRequest,
    Parameters,
)


@pytest.mark.parametrize("name", sorted({name for body in BODIES for name in body.model_fields}))
def test_every_field_is_there(name: str):
    """Of a request, and of an event, in each dialect."""
    assert re.search(rf"^\|[^|]*`{name}`[^|]*\|", PAGE, re.M)


@pytest.mark.parametrize("header", ["X-Request-Id", "Retry-After", "Authorization"])
def test_every_header_is_there(header: str):
    """Read or sent."""
    assert f"| `{header}" in PAGE


def test_every_page_is_in_the_table_of_contents():
    """And every decision, by its title."""
    contents = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = [path for path in DOCS.rglob("*.md") if path.name != "README.md"]

    assert len(pages) > 10
    assert [] == [path.name for path in pages if f"({path.relative_to(DOCS)})" not in contents]
    for decision in sorted((DOCS / "decisions").glob("*.md")):
        title = decision.read_text(encoding="utf-8").partition("\n")[0]
        assert f"| {title.removeprefix('# ').partition(' ')[2]} |" in contents
