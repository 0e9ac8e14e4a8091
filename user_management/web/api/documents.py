"""The OpenAPI description of the routes, derived from the resources they serve and the problems they can have."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Generic, Literal, TypeVar

from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, create_model
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute

from user_management.db import jsontext
from user_management.mirror.engine.resource import Resource
from user_management.web import problems
from user_management.web.api import parameters
from user_management.web.problems import Kind

Shape = TypeVar("Shape", bound=BaseModel)

FRESHNESS = {
    "Replica-State": ("`live`, `stale` (older than the limit) or `backfilling` (never complete yet).", "live"),
    "Replica-As-Of": (
        "Up to when the copy is complete (RFC 3339); absent while it never was.",
        "2026-11-21T10:30:17.761Z",
    ),
    "Age": ("Whole seconds since then.", "1"),
    "Replica-Position": ("How much of the journal this resource has applied.", "6448"),
}
SAME = {"ETag": ("Stands for this content: send it as `If-None-Match`, and a 304 tells that nothing changed.",
                 'W/"8c5a1f-4be1"')}  # fmt: skip
LINKS = {"Link": ("The `first`, `prev` and `next` page (RFC 8288), relative to this one.",
                  '<users?limit=10>; rel="first"')}  # fmt: skip
HAL = "application/hal+json"
LINES = "application/x-ndjson"
UNCHANGED = {
    "description": "Nothing changed since you were told the ETag you sent as `If-None-Match`; the headers say how old "
    "that may be by now.",
    "content": {},
}
EVERYWHERE = {"X-Request-ID": ("The id of the request in our log; yours, if you sent a sane one.", "9c1f…")}
READ = (problems.INVALID, problems.DATABASE_AWAY)


class Ends(BaseModel):
    """Where a page's neighbours begin; null at the ends of the list."""

    before: str | None
    after: str | None


class Around(Ends):
    """Where a page's neighbours begin, and how many objects all pages have if that was asked for."""

    total_count: int | None = None
    total_count_is: Literal["exact", "estimated"] | None = None


class Listed(BaseModel, Generic[Shape]):
    """A page of a list, as WorkOS words it."""

    object: str = "list"
    data: list[Shape]
    list_metadata: Around


class Wrong(BaseModel):
    """What is wrong with one field."""

    field: str | None = None
    code: str | None = None
    message: str | None = None


class ProblemDocument(BaseModel):
    """Why a request failed (RFC 9457)."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[Wrong] | None = None


def of_list(resource: Resource) -> dict[str, Any]:
    """The description of a list."""
    noun, one = words(resource.name), example_of(resource.shape)
    example = {"object": "list", "data": [one], "list_metadata": {"before": None, "after": None}}
    found = answered("A page of the list.", example, FRESHNESS | SAME | LINKS)
    shape = {"$ref": f"#/components/schemas/{page_model(resource.shape).__name__}"}
    found["content"] |= {
        HAL: {"schema": shape, "example": linked(example, resource, f"{resource.name}?limit=10")},
        LINES: {"schema": {"type": "string"}, "example": f"{jsontext.dumps(one)}\n{jsontext.dumps(end(resource))}\n"},
    }
    return {
        "name": f"list_{resource.name}",
        "operation_id": f"list_{resource.name}",
        "tags": [resource.name],
        "summary": f"List {noun}",
        "description": f"The {noun} of the copy, newest first unless told otherwise. To page, repeat the request with "
        "`after` set to the `list_metadata.after` of the page before, until it is null, or follow `Link`. The last "
        "page costs what the first does, and pages stay complete and disjoint while objects come and go.\n\n"
        f"With `Accept: {HAL}` the list and its objects have `_links`. With `Accept: {LINES}` all of the list is sent "
        "at once, an object a line, from one snapshot; filters, `order`, `include_deleted` and `after` apply. Its last "
        'line is `{"object":"export_end",…,"count":n}`: without that line it is not all, and can be gone on with '
        "`after`, the id of the last object that came.",
        "response_model": page_model(resource.shape),
        "responses": {200: found, 304: unchanged(), **failures((*READ, problems.BUSY))},
        "openapi_extra": {"parameters": parameters.documented(parameters.page(resource))},
    }


def of_one(resource: Resource, by: str, *, expands: bool = False) -> dict[str, Any]:
    """The description of one object, looked up by one of its columns."""
    noun, example = words(resource.object), example_of(resource.shape)
    named = resource.name_of(example) if by == "id" else example.get(by)
    path = {"name": by, "in": "path", "required": True, "schema": {"type": "string"}, "example": named}
    told = "its id" if by == "id" else "the id you gave it (`external_id`)"
    found = answered(f"The {noun}.", example, FRESHNESS | SAME)
    shape = {"$ref": f"#/components/schemas/{resource.shape.__name__}"}
    found["content"][HAL] = {
        "schema": shape,
        "example": linked(example, resource, f"../{resource.name}/{resource.name_of(example)}"),
    }
    asked = parameters.Expanded if expands else parameters.Single
    return {
        "name": f"get_{resource.object}_by_{by}",
        "operation_id": f"get_{resource.object}_by_{by}",
        "tags": [resource.name],
        "summary": f"Get one {noun} by {'id' if by == 'id' else 'external id'}",
        "description": f"The {noun} with {told}, as WorkOS words it. A deleted one is a 404 that says when it was.",
        "response_model": resource.shape,
        "responses": {200: found, 304: unchanged(), **failures((problems.NOT_FOUND, *READ), FRESHNESS)},
        "openapi_extra": {"parameters": [path, *parameters.documented(asked)]},
    }


def linked(example: dict[str, Any], resource: Resource, to: str) -> dict[str, Any]:
    """An example with its links."""
    if example.get("object") != "list":
        return example | {"_links": {"self": {"href": to}}}
    data = [linked(one, resource, f"{resource.name}/{resource.name_of(one)}") for one in example["data"]]
    return example | {"data": data, "_links": {"first": {"href": to}}}


def end(resource: Resource) -> dict[str, Any]:
    """The last line of an export, for the documentation."""
    return {"object": "export_end", "resource": resource.name, "count": 1}


def unchanged() -> dict[str, Any]:
    """The answer that nothing changed."""
    return UNCHANGED | {"headers": documented(FRESHNESS | SAME | EVERYWHERE)}


def of_health(model: type[BaseModel]) -> dict[str, Any]:
    """The description of the question whether the process is alive."""
    return {
        "operation_id": "health",
        "tags": ["monitoring"],
        "summary": "Is the API alive?",
        "description": "Always 200 while the process answers; it says nothing of the database, WorkOS or the copy.",
        "response_model": model,
        "responses": {200: answered("It is.", example_of(model), {})},
    }


def of_ready(model: type[BaseModel]) -> dict[str, Any]:
    """The description of the question whether the copy is usable."""
    return {
        "operation_id": "ready",
        "tags": ["monitoring"],
        "summary": "Is the copy complete and fresh?",
        "description": "200 once the first backfill has finished and while the end of WorkOS's feed was reached "
        "recently; else 503 with the reason in words. Reads are served either way, and say how old they are. "
        "`source` is `sandbox` while a sandbox with made-up people stands in for WorkOS.",
        "response_model": model,
        "responses": {
            200: answered("It is.", example_of(model), FRESHNESS),
            **failures((problems.NOT_READY, problems.DATABASE_AWAY), FRESHNESS),
        },
    }


def of_webhook(model: type[BaseModel]) -> dict[str, Any]:
    """The description of the endpoint that WorkOS sends webhooks to."""
    header = {
        "name": "WorkOS-Signature", "in": "header", "required": True, "schema": {"type": "string"},
        "description": '`t=<ms since 1970>, v1=<hex HMAC-SHA256 of "t.body">`, at most three minutes old.',
    }  # fmt: skip
    event = {"id": "event_01E4ZCR3C56J083X43JQXF3JK5", "event": "user.created", "data": {"object": "user"}}
    sent = {"application/json": {"schema": {"type": "object"}, "example": event}}
    kinds = (
        problems.INVALID, problems.SIGNATURE, problems.WEBHOOKS_OFF, problems.TOO_LARGE, problems.DATABASE_AWAY
    )  # fmt: skip
    return {
        "operation_id": "receive_webhook",
        "tags": ["webhooks"],
        "summary": "Take a webhook of WorkOS",
        "description": "The event is in the copy before this is answered. It is provisional until the feed brings it "
        "too: a webhook can be late, repeated or lost without harm. Needs `USER_MANAGEMENT_WORKOS_WEBHOOK_SECRET`.",
        "response_model": model,
        "responses": {200: answered("What became of it.", example_of(model), {}), **failures(kinds)},
        "openapi_extra": {"parameters": [header], "requestBody": {"required": True, "content": sent}},
    }


METRICS = """\
# HELP user_management_replica_age_seconds Seconds since the end of WorkOS's feed was reached.
# TYPE user_management_replica_age_seconds gauge
user_management_replica_age_seconds{service_instance_id="host:1"} 1.2
"""


def of_metrics() -> dict[str, Any]:
    """The description of the metrics."""
    return {
        "operation_id": "metrics",
        "tags": ["monitoring"],
        "summary": "What was counted",
        "description": "Prometheus text, of every worker process that serves this port.",
        "response_class": PlainTextResponse,
        "responses": {
            200: {
                "description": "Each metric with its help, its type and its samples.",
                "content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS}},
            }
        },
    }


def of_problems() -> dict[str, Any]:
    """The description of the page that explains a problem."""
    path = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "example": "invalid"}
    return {
        "operation_id": "explain_problem",
        "tags": ["monitoring"],
        "summary": "What does this problem mean?",
        "description": "Every problem's `type` is such an address.",
        "response_model": problems.Kind,
        "responses": {
            200: answered("What it means and what to do.", problems.described(problems.INVALID), {}),
            **failures((problems.NO_ROUTE,)),
        },
        "openapi_extra": {"parameters": [path]},
    }


def answered(description: str, example: Any, headers: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """An answer with its example and its headers."""
    return {
        "description": description,
        "headers": documented(headers | EVERYWHERE),
        "content": {"application/json": {"example": example}},
    }


def failures(kinds: Iterable[Kind], headers: dict[str, tuple[str, str]] | None = None) -> dict[int | str, Any]:
    """The problems a route can have, by status, each with an example."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in (*kinds, problems.INTERNAL):
        answer = found.setdefault(
            kind.status,
            {
                "description": f"{kind.title}. {kind.advice}",
                "headers": documented((headers or {}) | EVERYWHERE),
                "content": {"application/problem+json": {"schema": reference(ProblemDocument), "examples": {}}},
            },
        )
        answer["content"]["application/problem+json"]["examples"][kind.name] = {"value": problems.example(kind)}
    return found


def documented(headers: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Headers as OpenAPI describes them."""
    return {
        name: {"description": meaning, "schema": {"type": "string"}, "example": example}
        for name, (meaning, example) in headers.items()
    }


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{model.model_config.get('title', model.__name__)}"}


def components(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The schemas that routes refer to by themselves."""
    found: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[schema["title"]] = schema
    return found


def complete(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Put the examples back as they were written: FastAPI leaves out what is null in them."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            found = document["paths"][route.path_format]
            for method in (route.methods or set()) & {name.upper() for name in found}:
                for status, answer in route.responses.items():
                    told = found[method.lower()]["responses"][str(status)].get("content", {})
                    for media, content in answer.get("content", {}).items():
                        told[media] |= {name: content[name] for name in ("example", "examples") if name in content}


def example_of(model: type[BaseModel]) -> dict[str, Any]:
    """The example a shape carries."""
    extra = model.model_config.get("json_schema_extra")
    examples: Any = extra.get("examples") if isinstance(extra, dict) else None
    return dict(examples[0]) if examples else {}


@cache
def page_model(shape: type[BaseModel]) -> type[BaseModel]:
    """The shape of a page of these objects."""
    return create_model(f"{shape.__name__}List", __base__=Listed[shape])  # type: ignore[valid-type]  # a shape is known at run time


def words(name: str) -> str:
    """A name as a person reads it."""
    return name.replace("_", " ").replace("api key", "API key")
