"""Blotting people out of JSON: whole ids and whole e-mail addresses, wherever they stand, and nothing beside them."""

import re
from collections.abc import Set as AbstractSet
from typing import Any

BLOT = "[erased]"

ADDRESS = r"[^\s\"'<>(),;:\\\[\]{}@/]+@[^\s\"'<>(),;:\\\[\]{}@/]*[^\s\"'<>(),;:\\\[\]{}@/.]"
ID = r"\b[A-Za-z][A-Za-z_]*_[0-9A-Za-z]+\b"
TOKEN = re.compile(f"{ADDRESS}|{ID}")
"""What can name somebody: `ann@b.example` is not in `joann@b.example`, nor `user_1` in `user_12`."""


def normal(token: str) -> str:
    """A token as it is compared: addresses without case."""
    return token.lower() if "@" in token else token


def tokens(text: str) -> set[str]:
    """Everything in a text that can name somebody."""
    return {normal(found) for found in TOKEN.findall(text)}


def is_id(text: str) -> bool:
    """Whether a text is one id, and nothing else."""
    return re.fullmatch(ID, text) is not None


def blotted(value: Any, gone: AbstractSet[str]) -> Any:
    """A value in which nothing names those who are gone: no string, no key, no object that bears their id.

    A user's own address stays: one that was freed is theirs now.
    """
    if isinstance(value, str):
        return TOKEN.sub(lambda found: BLOT if normal(found[0]) in gone else found[0], value)
    if isinstance(value, list):
        return [blotted(item, gone) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("id") in gone:
        return {"id": BLOT}
    if value.get("object") == "directory_user" and normal(str(value.get("email"))) in gone:
        return {key: item for key, item in value.items() if key in {"object", "id"}}
    own = value.get("object") == "user"
    return {
        blotted(key, gone): item if own and key == "email" else blotted(item, gone) for key, item in value.items()
    }  # fmt: skip
