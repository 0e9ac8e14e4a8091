"""Who asks: the holder of a credential, and what they may do."""

from dataclasses import dataclass

from user_management.web.scopes import Scope


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever showed a credential: a key's name, or the user of a session."""

    name: str
    scope: Scope
    user_id: str | None = None

    @property
    def bucket(self) -> str:
        """Under what their requests are counted."""
        return f"key {self.name}" if self.user_id is None else f"user {self.user_id}"


class Refused(Exception):
    """A credential that is not accepted; the message is for whoever showed it, and repeats none of it."""


class Missing(Refused):
    """There is no credential."""
