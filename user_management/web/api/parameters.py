"""The query parameters of a resource: declared once, from its filters, for checking and for documentation alike."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from starlette.datastructures import QueryParams

from user_management.mirror.engine.resource import Filter, Resource
from user_management.web import problems
from user_management.web.problems import Problem

Model = TypeVar("Model", bound=BaseModel)

LONGEST = 500
"""The most characters of a value: nothing WorkOS stores in what we look up is longer."""


def storable(value: str) -> str:
    """A value that PostgreSQL can compare; refuses what it cannot hold."""
    if "\0" in value:
        raise ValueError("must not contain the NUL character")
    return value


def split(value: object) -> object:
    """The words of a comma-separated value."""
    return value.split(",") if isinstance(value, str) else value


Words = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(storable)]


class Single(BaseModel):
    """What a request for one object may ask."""

    model_config = ConfigDict(extra="forbid")

    include_deleted: bool = Field(False, description="Also find an object that was deleted; it has a `deleted_at`.")


class Page(BaseModel):
    """What every request for a list may ask."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=100, description="How many objects to answer with, at most.", examples=[50])
    order: Literal["asc", "desc"] = Field("desc", description="By time of creation: `asc` is oldest first.")
    after: Words | None = Field(None, description="The id after which to go on: `list_metadata.after` of a page.")
    before: Words | None = Field(None, description="The id before which to go back: `list_metadata.before` of a page.")
    include_deleted: bool = Field(False, description="Also list objects that were deleted; they have a `deleted_at`.")


@cache
def page(resource: Resource) -> type[Page]:
    """The parameters of a resource's list: those of every list, and its filters."""
    fields: dict[str, Any] = {declared.name: (kind(declared), described(declared)) for declared in resource.filters}
    return create_model(f"{resource.shape.__name__}Page", __base__=Page, **fields)


def kind(declared: Filter) -> Any:
    """The type of a filter's value."""
    if plural(declared.type):
        return Annotated[declared.type, Field(min_length=1), BeforeValidator(split)]
    checked = Words if declared.type is str else declared.type
    return checked if declared.default is not None else checked | None


def described(declared: Filter) -> Any:
    """A filter's default and documentation."""
    default = list(declared.default) if isinstance(declared.default, tuple) else declared.default
    return Field(default, description=declared.description, examples=[declared.example])


def plural(annotation: Any) -> bool:
    """Whether a parameter takes several values: comma-separated, repeated, or both."""
    return get_origin(annotation) is list


def read(model: type[Model], query: QueryParams) -> Model:
    """The parameters of a request; a problem that names each one that is wrong."""
    given: dict[str, str] = dict(query)
    if len(given) < len(query.multi_items()):
        given |= {name: ",".join(query.getlist(name)) for name in given if name in several(model)}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise refused(model, error) from error


@cache
def several(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that may be repeated."""
    return frozenset(name for name, field in model.model_fields.items() if plural(field.annotation))


def refused(model: type[BaseModel], error: ValidationError) -> Problem:
    """The problem behind a validation error, in terms of parameters."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False):
        unknown = f"is not a parameter here; there are {', '.join(model.model_fields)}"
        message = unknown if one["type"] == "extra_forbidden" else one["msg"]
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
    return found
