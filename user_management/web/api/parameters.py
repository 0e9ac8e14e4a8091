"""The query parameters of a resource: declared once, from its filters, for checking and for documentation alike."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)
from starlette.datastructures import QueryParams
from starlette.requests import Request

from user_management.db import jsontext
from user_management.mirror.engine import filters
from user_management.mirror.engine.resource import Filter, Resource
from user_management.web import problems
from user_management.web.problems import Problem

Model = TypeVar("Model", bound=BaseModel)

LONGEST = 500
"""The most characters of a value: nothing WorkOS stores in what we look up is longer."""


FURTHEST = 10_000
"""The most objects that `offset` skips: skipping costs what reading does, and `after` costs nothing."""
SHORT = 24
"""Bytes of a query that is worth remembering: `limit=50` and its like, which names nobody."""
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")
KEYED = re.compile(r"([a-z_]+)\[(.*)\]", re.DOTALL)
"""A parameter with a key of its own: `metadata[key]`."""


def storable(value: str) -> str:
    """A value that PostgreSQL can compare; refuses what it cannot hold."""
    if "\0" in value:
        raise ValueError("must not contain the NUL character")
    return value


def split(value: object) -> object:
    """The words of a comma-separated value."""
    return value.split(",") if isinstance(value, str) else value


def timely(value: object) -> object:
    """A time as people write it into a URL, where a bare `+` arrives as a space; refuses what only may be a time."""
    if not isinstance(value, str) or not TIME.match(value):
        raise ValueError("must be a time such as 2026-11-01T00:00:00Z")
    return re.sub(r" (\d\d:\d\d)$", r"+\1", value)


def universal(value: datetime) -> datetime:
    """A time in UTC; refuses one that is out of every calendar there."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is too far away") from error


Words = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(storable)]


Instant = Annotated[AwareDatetime, BeforeValidator(timely), AfterValidator(universal)]
Value = Annotated[str, Field(max_length=600), AfterValidator(storable)]
Pairs = Annotated[dict[Words, Value], Field(min_length=1, max_length=50), AfterValidator(jsontext.dumps)]
"""Keys and values, as the JSON that PostgreSQL compares with."""
TYPES = {str: Words, datetime: Instant, dict[str, str]: Pairs}
"""How a filter's value is checked, by the type it declares; any other type checks itself."""


class Single(BaseModel):
    """What a request for one object may ask."""

    model_config = ConfigDict(extra="forbid")

    include_deleted: bool = Field(False, description="Also find an object that was deleted; it has a `deleted_at`.")


class Expanded(Single):
    """What a request for one object and what belongs to it may ask."""

    expand: Annotated[list[Literal["memberships", "roles", "permissions"]] | None, BeforeValidator(split)] = Field(
        None,
        description="Also answer with these, from one snapshot, comma-separated: `memberships`, each with its "
        "`organization`; `roles` and `permissions` of the active ones, by organization, null where the copy is unsure. "
        "Not together with `include_deleted`.",
        examples=["memberships,roles,permissions"],
    )


class Narrow(BaseModel):
    """What a request for a part of a list may ask."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=100, description="How many objects to answer with, at most.", examples=[50])
    order: Literal["asc", "desc"] = Field("desc", description="By time of creation: `asc` is oldest first.")
    after: Words | None = Field(None, description="The id after which to go on: `list_metadata.after` of a page.")
    before: Words | None = Field(None, description="The id before which to go back: `list_metadata.before` of a page.")
    offset: int | None = Field(
        None,
        ge=0,
        le=FURTHEST,
        description="How many objects to skip, for those who page by number; `after` is faster.",
        examples=[100],
    )


class Page(Narrow):
    """What every request for a list may ask."""

    include_deleted: bool = Field(False, description="Also list objects that were deleted; they have a `deleted_at`.")
    count: Literal["exact", "estimated"] | None = Field(
        None,
        description="Also tell how many objects all pages have, in `list_metadata.total_count`. `exact` reads the "
        "whole list, which takes long where it is long; `estimated` asks PostgreSQL's planner, which is quick.",
        examples=["estimated"],
    )


@cache
def page(resource: Resource) -> type[Page]:
    """The parameters of a resource's list: those of every list, and its filters."""
    fields: dict[str, Any] = {declared.name: (kind(declared), described(declared)) for declared in filters.of(resource)}
    return create_model(f"{resource.shape.__name__}Page", __base__=Page, **fields)


def kind(declared: Filter) -> Any:
    """The type of a filter's value."""
    if plural(declared.type):
        return Annotated[declared.type, Field(min_length=1), BeforeValidator(split)]
    checked = TYPES.get(declared.type, declared.type)
    return checked if declared.default is not None else checked | None


def described(declared: Filter) -> Any:
    """A filter's default and documentation."""
    default = list(declared.default) if isinstance(declared.default, tuple) else declared.default
    return Field(default, description=declared.description, examples=[declared.example])


def plural(annotation: Any) -> bool:
    """Whether a parameter takes several values: comma-separated, repeated, or both."""
    return get_origin(annotation) is list or any(plural(one) for one in get_args(annotation) if one is not annotation)


def asked(model: type[Model], request: Request) -> Model:
    """The parameters of a request; those of the queries that everybody sends are read once. Not to be changed."""
    raw: bytes = request.scope["query_string"]
    return remembered(model, raw) if len(raw) <= SHORT else read(model, request.query_params)


@lru_cache(maxsize=256)
def remembered(model: type[Model], raw: bytes) -> Model:
    """The parameters of a short query."""
    return read(model, QueryParams(raw))


def read(model: type[Model], query: QueryParams) -> Model:
    """The parameters of a request; a problem that names each one that is wrong."""
    given: dict[str, Any] = dict(query)
    if len(given) < len(query.multi_items()):
        given |= {name: ",".join(query.getlist(name)) for name in given if name in several(model)}
    try:
        return model.model_validate(gathered(model, given) if keyed(model) else given)
    except ValidationError as error:
        raise refused(model, error) from error


def gathered(model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """The parameters with those that have a key of their own (`metadata[key]`) put together."""
    found: dict[str, Any] = {}
    pairs: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        whole = KEYED.fullmatch(name)
        if whole and whole[1] in keyed(model):
            pairs[whole[1]] = {**pairs.get(whole[1], {}), whole[2]: value}
        else:
            found[name] = value
    # What is given both ways keeps the one that is refused.
    return pairs | found


@cache
def keyed(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that have keys of their own."""
    return frozenset(name for name, field in model.model_fields.items() if mapping(field.annotation))


def mapping(annotation: Any) -> bool:
    """Whether a parameter takes keys and values."""
    return get_origin(annotation) is dict or any(mapping(one) for one in get_args(annotation))


@cache
def several(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that may be repeated."""
    return frozenset(name for name, field in model.model_fields.items() if plural(field.annotation))


def refused(model: type[BaseModel], error: ValidationError) -> Problem:
    """The problem behind a validation error, in terms of parameters."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False):
        unknown = f"is not a parameter here; there are {', '.join(model.model_fields)}"
        message = unknown if one["type"] == "extra_forbidden" else problems.plain(one["msg"])
        found.setdefault(str(one["loc"][0]), message)
    return problems.invalid([{"field": field, "message": message} for field, message in found.items()])


def documented(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The parameters as OpenAPI describes them."""
    return [parameter(name, schema) for name, schema in model.model_json_schema()["properties"].items()]


def parameter(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """One query parameter as OpenAPI describes it."""
    kept = {key: value for key, value in schema.items() if key not in {"title", "description", "examples", "anyOf"}}
    plain: dict[str, Any] = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), {})
    found = {"name": name, "in": "query", "required": False, "description": schema["description"]}
    found["schema"] = {key: value for key, value in {**plain, **kept}.items() if (key, value) != ("default", None)}
    if any(schema.get("examples", ())):
        found["example"] = schema["examples"][0]
    if schema.get("type") == "array":
        found |= {"style": "form", "explode": False}
    if found["schema"].get("type") == "object":
        found |= {"style": "deepObject", "explode": True}
    return found
