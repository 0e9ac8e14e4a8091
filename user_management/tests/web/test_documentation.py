from importlib.metadata import version
from typing import Any

import httpx
import jsonschema
import pytest

from user_management.mirror.engine import catalog, filters
from user_management.web.pages import STATIC


@pytest.fixture
async def document(api: httpx.AsyncClient) -> Any:
    """The OpenAPI description of the API."""
    return (await api.get("/api/openapi.json")).json()


def operations(document: Any) -> list[tuple[str, Any]]:
    """Every operation, by its name."""
    return [(f"{method} {path}", one) for path, found in document["paths"].items() for method, one in found.items()]


async def test_every_route_says_what_it_is_for(document: Any) -> None:
    """Each operation has a summary, a description, a tag and an id of its own."""
    found = operations(document)
    assert [name for name, one in found if not (one["summary"] and one["description"] and one["tags"])] == []
    assert len({one["operationId"] for _, one in found}) == len(found)
    assert document["info"]["version"] == version("user-management")


async def test_every_answer_has_a_valid_example(document: Any) -> None:
    """Each answer has a schema and an example that fits it."""
    for name, one in operations(document):
        for status, answer in one["responses"].items():
            for content in answer.get("content", {}).values():
                examples = (
                    [content["example"]] if "example" in content else [e["value"] for e in content["examples"].values()]
                )
                assert examples, (name, status)
                for example in examples:
                    jsonschema.validate(example, {**content["schema"], "components": document["components"]})


async def test_every_failure_is_a_problem(document: Any) -> None:
    """Whatever is not a success is described as problem+json."""
    kinds = {
        kind
        for _, one in operations(document)
        for status, answer in one["responses"].items()
        for kind in answer.get("content", {})
        if status >= "400"
    }
    assert kinds == {"application/problem+json"}


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)
async def test_a_resource_is_described_from_its_own_file(document: Any, resource: Any) -> None:
    """The filters and the shape of a resource are in the description, and its reads tell their headers."""
    listed = document["paths"][f"/api/{resource.name}"]["get"]
    names = [parameter["name"] for parameter in listed["parameters"]]
    always = ["limit", "order", "after", "before", "offset", "include_deleted", "count"]
    assert names == [*always, *(one.name for one in filters.of(resource))]
    assert all(parameter["description"] for parameter in listed["parameters"])
    expected = {"Replica-State", "Replica-As-Of", "Replica-Position", "Age", "ETag", "Link", "X-Request-ID"}
    assert expected == listed["responses"]["200"]["headers"].keys()
    assert resource.shape.__name__ in document["components"]["schemas"]
    assert (f"/api/{resource.name}/external_id/{{external_id}}" in document["paths"]) is resource.has_external_id


async def test_a_parameter_shows_its_type_and_example(document: Any) -> None:
    """Several values are comma-separated, with the allowed ones named; a filter shows an example."""
    found = {one["name"]: one for one in document["paths"]["/api/organization_memberships"]["get"]["parameters"]}
    statuses, user_id = found["statuses"], found["user_id"]
    assert (statuses["schema"]["items"]["enum"], statuses["schema"]["default"]) == (
        ["active", "inactive", "pending"], ["active"],
    )  # fmt: skip
    assert (statuses["explode"], statuses["example"]) == (False, "active,pending")
    assert (user_id["schema"]["type"], user_id["example"]) == ("string", "user_01E4ZCR3C56J083X43JQXF3JK5")


@pytest.mark.parametrize("path", ["/", "/api/docs", "/api/redoc"])
async def test_pages_load_nothing_from_elsewhere(api: httpx.AsyncClient, path: str) -> None:
    """A page names no other host, and forbids its scripts to."""
    page = await api.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert not [word for word in ("http://", "https://", 'src="//') if word in page.text]
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")


async def test_the_start_page_can_say_that_people_are_made_up(api: httpx.AsyncClient) -> None:
    """Whoever looks at a sandbox reads so, and how to follow the real WorkOS."""
    page = (await api.get("/")).text
    assert "This is a sandbox." in page
    assert "USER_MANAGEMENT_WORKOS_API_KEY" in page
    assert 'said.source !== "sandbox"' in page


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.svg"])
async def test_files_are_served_from_here(api: httpx.AsyncClient, name: str) -> None:
    """The scripts of the documentation are ours to serve, and may be kept."""
    found = await api.get(f"/api/static/{name}", headers={"Accept-Encoding": "identity"})
    assert found.content == (STATIC / name).read_bytes()
    assert "max-age" in found.headers["Cache-Control"]


def test_the_scripts_do_not_ask_a_cdn() -> None:
    """ReDoc's logo, which it would fetch from a CDN, was replaced."""
    assert "cdn.redoc.ly" not in (STATIC / "redoc.standalone.js").read_text()
