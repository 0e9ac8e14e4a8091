"""What the tests of signing in have in common."""

from typing import Any, Final

from user_management.tests.sandbox.conftest import WorkOS

AUTHENTICATE: Final = "/user_management/authenticate"
URN: Final = "urn:workos:oauth:grant-type:"
PASSWORD: Final = "correct-horse"
EMAIL: Final = "ada@example.com"


async def enter(workos: WorkOS, grant: str = "password", status: int = 200, **fields: Any) -> Any:
    """The answer to one grant; by password unless told."""
    client = {"client_id": "client_sandbox", "client_secret": "sk_sandbox", "grant_type": grant}
    proof = {"email": EMAIL, "password": PASSWORD} if grant == "password" else {}
    return await workos.send("POST", AUTHENTICATE, client | proof | fields, status)


async def letter(workos: WorkOS, email: str = EMAIL) -> Any:
    """What an address was mailed last."""
    return (await workos.get(f"/_sandbox/mailbox/{email}"))["data"][0]


async def kinds(workos: WorkOS) -> list[str]:
    """The types of all events, in their order."""
    return list(workos.app.state.store.feed.types)
