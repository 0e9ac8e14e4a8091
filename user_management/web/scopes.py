"""Scopes: what a caller may be allowed to do. Every route declares the one it needs."""

from enum import StrEnum


class Scope(StrEnum):
    """One kind of permission; each includes those before it, and anybody has the first."""

    PUBLIC = "public"
    """Asked by machines and by people who are not known yet."""
    SELF = "self"
    """What concerns the caller alone: whoever is known may ask."""
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    """What operators do: parked entries, and why an object is as it is."""

    def includes(self, needed: "Scope") -> bool:
        """Whether whoever has this scope may do what needs another."""
        return RANKS[self] >= RANKS[needed]


RANKS = {scope: rank for rank, scope in enumerate(Scope)}
GIVEN = (Scope.READ, Scope.WRITE, Scope.ADMIN)
"""The scopes that a credential is given; the others come with any, or with none."""
