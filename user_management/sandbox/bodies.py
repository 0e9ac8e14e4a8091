from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request

from user_management.sandbox import errors

Types = tuple[type, ...]
"""The JSON types a field may have."""

TEXT: Final[Types] = (str,)
NULLABLE_TEXT: Final[Types] = (str, type(None))
FLAG: Final[Types] = (bool,)
NULLABLE_FLAG: Final[Types] = (bool, type(None))
NULLABLE_OBJECT: Final[Types] = (dict, type(None))
ARRAY: Final[Types] = (list,)

_NAMES: Final = {str: "string", bool: "boolean", dict: "object", list: "array", type(None): "null"}
_EXTERNAL_ID_LENGTH: Final = 128
_METADATA_PAIRS: Final = 50
_METADATA_KEY_LENGTH: Final = 40
_METADATA_VALUE_LENGTH: Final = 600


async def read(request: Request, fields: Mapping[str, Types], *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The known fields of a JSON body; unknown ones are ignored, wrong types and missing ones are 422."""
    return check(parse(await request.body()), fields, required)


def check(body: object, fields: Mapping[str, Types], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a body that are known, each of a type it may have."""
    if not isinstance(body, dict):
        raise errors.invalid("body", "body_invalid", "An object is expected.")
    for name in required:
        if name not in body:
            raise errors.invalid(name, f"{name}_required", f"{name} is required.")
    for name, types in fields.items():
        if name in body and not isinstance(body[name], types):
            expected = " or ".join(_NAMES[kind] for kind in types)
            raise errors.invalid(name, f"{name}_invalid", f"{name} must be {expected}.")
    _check_external_id(body.get("external_id"))
    return {name: body[name] for name in fields if name in body}


def texts(name: str, values: list[Any]) -> list[str]:
    """An array of strings, or 422."""
    if not all(isinstance(value, str) for value in values):
        raise errors.invalid(name, f"{name}_invalid", f"{name} must hold strings only.")
    return values


def merge_metadata(former: Mapping[str, str], change: Mapping[str, Any] | None) -> dict[str, str]:
    """Metadata after a partial update: a null key is deleted, `{}` and null delete all, the rest stays."""
    if not change:
        return {}
    merged = {key: value for key, value in {**former, **change}.items() if value is not None}
    if not _fits(merged):
        raise errors.refused("invalid_metadata", "Metadata must be at most 50 short string pairs.")
    return merged


def _fits(metadata: Mapping[str, Any]) -> bool:
    return len(metadata) <= _METADATA_PAIRS and all(
        isinstance(value, str) and len(value) <= _METADATA_VALUE_LENGTH and 0 < len(key) <= _METADATA_KEY_LENGTH
        for key, value in metadata.items()
    )


def _check_external_id(value: object) -> None:
    if isinstance(value, str) and not (0 < len(value) <= _EXTERNAL_ID_LENGTH):
        raise errors.invalid("external_id", "external_id_invalid", "external_id must have 1 to 128 characters.")


def parse(raw: bytes) -> Any:
    """The JSON of a body, an empty one being `{}`; 400 when it is none."""
    try:
        return orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as error:
        raise errors.refused("invalid_json", "The request body is not JSON.") from error
