"""The gate: who asks, whether they may, and how often."""

from dataclasses import dataclass, field

import structlog
from starlette.requests import Request
from starlette.types import Scope as Asked

from user_management.web import problems
from user_management.web.credentials import keys as api_keys
from user_management.web.credentials.holders import Holder, Missing, Refused
from user_management.web.credentials.keys import PREFIX, Key
from user_management.web.credentials.rates import Rates, Spent
from user_management.web.credentials.tokens import Tokens
from user_management.web.dependencies import backend
from user_management.web.problems import Problem
from user_management.web.scopes import Scope

log = structlog.get_logger(__name__)

REALM = 'Bearer realm="user_management"'
LONGEST = 8192
"""Bytes of a credential; no token is as long."""
FAILURES = 60
"""Refusals an address is told the reason of in a minute; then it must wait. Good credentials do not wait with it."""


@dataclass(slots=True)
class Gate:
    """What callers are held against; an open one lets everybody do everything."""

    keys: tuple[Key, ...] = ()
    tokens: Tokens | None = None
    open: bool = False
    limit: int = 0
    rates: Rates = field(init=False)
    failures: Rates = field(init=False)

    def __post_init__(self) -> None:
        self.rates = Rates("default", self.limit)
        self.failures = Rates("failures", min(self.limit, FAILURES))

    async def admit(self, request: Request, needed: Scope) -> None:
        """Let a request in, or raise the problem that says why not; `request.state.holder` is who asks."""
        scope = request.scope
        if self.open and needed is not Scope.SELF:
            count(self.rates, scope, address(scope))
            return
        try:
            holder = await self.holder(request)
        except Refused as error:
            count(self.failures, scope, address(scope))
            raise refusal(error) from error
        count(self.rates, scope, holder.bucket)
        structlog.contextvars.bind_contextvars(credential=holder.name)
        if not holder.scope.includes(needed):
            raise forbidden(holder, needed)
        scope["state"]["holder"] = holder

    async def holder(self, request: Request) -> Holder:
        """Who shows a credential."""
        given = shown(request.scope["headers"])
        if given.startswith(PREFIX.encode()):
            key = api_keys.known(self.keys, given)
            if key is None:
                raise Refused("There is no such key; it may have been exchanged.")
            return Holder(key.name, key.scope)
        if self.tokens is None or not given.isascii():
            raise Refused("This is no key of ours.")
        return await self.tokens.holder(backend(request), given.decode())


def shown(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The credential among the headers of a request: exactly one, in either place."""
    found = set()
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            found.add(value[7:].strip())
        elif name == b"x-api-key":
            found.add(value.strip())
    found.discard(b"")
    if not found:
        raise Missing("Send a key or a session's access token.")
    if len(found) > 1:
        raise Refused("There are several credentials; send one.")
    given: bytes = found.pop()
    if len(given) > LONGEST:
        raise Refused("The credential is too long to be one.")
    return given


def address(scope: Asked) -> str:
    """Where a request comes from, as something to count by."""
    client = scope.get("client")
    return f"address {client[0]}" if client else "address unknown"


def count(rates: Rates, scope: Asked, who: str) -> None:
    """Count a request and let its answer say what is left; a problem when nothing was."""
    if not rates.limit:
        return
    spent = rates.spend(who)
    scope["state"]["stamps"] = rates.headers(spent)
    if spent.over:
        raise too_many(rates, spent)


def too_many(rates: Rates, spent: Spent) -> Problem:
    """The problem of somebody who asks too often."""
    return Problem(
        problems.TOO_MANY,
        f"More than {rates.limit} requests in a minute.",
        headers={"Retry-After": str(max(1, spent.seconds))},
    )


def refusal(error: Refused) -> Problem:
    """The problem of nobody we know, as RFC 6750 has it; what was shown is not repeated."""
    if isinstance(error, Missing):
        return Problem(problems.UNAUTHENTICATED, str(error), headers={"WWW-Authenticate": REALM})
    log.warning("credential.refused", reason=str(error))
    challenge = f'{REALM}, error="invalid_token", error_description="{error}"'
    return Problem(problems.CREDENTIAL, str(error), headers={"WWW-Authenticate": challenge})


def forbidden(holder: Holder, needed: Scope) -> Problem:
    """The problem of somebody who may not do this."""
    challenge = f'{REALM}, error="insufficient_scope", scope="{needed}"'
    log.warning("credential.insufficient", needed=needed.value, given=holder.scope.value)
    return Problem(
        problems.SCOPE,
        f"This needs the scope `{needed}`; the credential has `{holder.scope}`.",
        headers={"WWW-Authenticate": challenge},
        members={"scope": needed.value},
    )
