"""JSON as text, in the form we store and serve: compact, key order kept, and total for whatever WorkOS sends."""

import json
import re
from datetime import datetime
from typing import Any

import orjson

LONG_NUMBER = re.compile(r"\d{19}")
"""What orjson might read as a number too large for it, and round."""


def dumps(value: object) -> str:
    """The value as compact JSON text, NaN as null; what orjson refuses (lone surrogates, huge numbers) is escaped."""
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):
        text = json.dumps(value, ensure_ascii=True, default=moment)
        finite = json.loads(text, parse_constant=lambda _: None)
        return json.dumps(finite, ensure_ascii=True, separators=(",", ":"))


def moment(value: object) -> str:
    """A moment as orjson words it, among what orjson refuses."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def loads(text: str | bytes) -> Any:
    """The value of JSON text, also where it holds huge numbers or escapes that are not valid Unicode."""
    if LONG_NUMBER.search(text if isinstance(text, str) else text.decode(errors="replace")):
        return json.loads(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
