"""What can be done to sessions."""

from user_management.services.workos.commands import Command

revoke = Command(
    "post", ("user_management", "sessions", "revoke"), sends={"session_id": "id"}, lacks=True, repeatable=True
)
