"""Matching: whether an object has what was sent, as WorkOS stores it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

CASELESS = frozenset({"email", "domain"})
"""What WorkOS stores in lower case."""


def alike(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether an object has what was sent, as far as it shows it; what was sent as null says nothing."""
    shared = ((key, value) for key, value in fields.items() if value is not None and key in found)
    return all(same(key, found[key], value) for key, value in shared)


def same(key: str, found: Any, sent: Any) -> bool:
    """Whether a value is the one that was sent, as WorkOS stores it: trimmed, e-mail and domains in lower case."""
    if isinstance(found, str) and isinstance(sent, str):
        found, sent = found.strip(), sent.strip()
        return bool(found.lower() == sent.lower() if key in CASELESS else found == sent)
    if isinstance(found, dict) and isinstance(sent, dict):
        return alike({name: found.get(name) for name in sent}, sent)
    return bool(found == sent)


def named(found: Mapping[str, Any], fields: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether an object is called what was sent; where nothing was sent, it has nothing."""
    return all(same(name, found.get(name), fields.get(name)) for name in names)


def holds(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether an object shows all that was sent: also what was cleared, and nothing that it does not show at all."""
    return all(key in found and kept(key, found[key], value) for key, value in fields.items())


def kept(key: str, found: Any, sent: Any) -> bool:
    """Whether a value is as it was to be: a map is merged key by key, null takes a key away, and `{}` takes all."""
    if isinstance(sent, dict) and sent:
        known = found if isinstance(found, dict) else {}
        return all(same(name, known.get(name), value) for name, value in sent.items())
    if sent is None or sent == {}:
        return found in (None, {}, "")
    return same(key, found, sent)


def state(key: str, value: object) -> Callable[[Mapping[str, Any], Mapping[str, Any]], bool]:
    """Whether an object's state is a certain one, whatever was sent."""

    def reached(found: Mapping[str, Any], _fields: Mapping[str, Any]) -> bool:
        return bool(found.get(key) == value)

    return reached


def permitted(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a role has exactly the permissions that were sent."""
    has, wanted = found.get("permissions"), fields.get("permissions")
    return isinstance(has, list) and isinstance(wanted, list) and sorted(map(str, has)) == sorted(map(str, wanted))


def permits(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a role has the permission that was sent."""
    has = found.get("permissions")
    return isinstance(has, list) and fields.get("slug") in has
