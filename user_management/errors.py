"""What can go wrong, named by what the caller does next: wait, fix, look elsewhere, choose, or configure."""


class UserManagementError(Exception):
    """The root of every error this project raises on purpose."""


class Wait(UserManagementError):
    """Try again later: nothing is wrong with the request."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Fix(UserManagementError):
    """The request itself must change before it is sent again."""


class NotFound(UserManagementError):
    """There is no such thing, or it is no more."""


class Conflict(UserManagementError):
    """Somebody else was first; look again before deciding."""


class Misconfigured(UserManagementError):
    """An operator must change the configuration."""
