"""Sessions are ended at WorkOS, which tells of it by an event."""

from user_management.mirror.sessions import resource
from user_management.services.workos.commands import sessions
from user_management.web import endings
from user_management.web.api.writes import Write

WRITES = (
    Write(
        resource, None, sessions.revoke, "/{id}/revoke", "revoke", around=endings.remembered,
        told="WorkOS answers without the session: the copy shows it revoked as soon as its event arrives, seconds "
        "later. Its access tokens are refused here from now on; elsewhere they stay valid until they expire.",
    ),
)  # fmt: skip
