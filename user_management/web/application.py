"""The application: one FastAPI app, its few middlewares, its routes and its documentation."""

import inspect
from importlib.metadata import version
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from user_management.mirror.engine import catalog
from user_management.web import errors, pages
from user_management.web.api import documents, router, security
from user_management.web.credentials.gate import Gate
from user_management.web.credentials.tokens import Tokens
from user_management.web.envelope import HEADER, Envelope
from user_management.web.index import Index
from user_management.web.lifespan import Options, lifespan
from user_management.web.workos import router as workos

EXPOSED = (
    "Age",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Replica-As-Of",
    "Replica-Position",
    "Replica-Source",
    "Replica-State",
    "Retry-After",
    "WWW-Authenticate",
    HEADER,
)
"""The headers a browser's script may read."""


DESCRIPTION = """\
Your users, organizations, memberships, roles, invitations, sessions and all else of WorkOS's user management, read
from your own PostgreSQL instead of over the network. Objects and lists are exactly as WorkOS words them; writes go to
WorkOS and are in the copy before you are answered. Any WorkOS SDK can ask here, too: give it this address as its
`base_url`.

**How old is this?** Every read says so: `Replica-As-Of` is the instant up to which the copy is complete, `Age` the
seconds since, `Replica-State` is `live`, `stale` or `backfilling`. `/api/ready` tells a load balancer the same.

**When something goes wrong** the answer is `application/problem+json` (RFC 9457). Its `type` is a stable address that
explains it, `errors` names the fields, and `request_id` is what to search our log for.

**Who may ask?** Send an API key or a session's access token as `Authorization: Bearer …` (or `X-API-Key`).
Each route names the scope it needs: `admin` includes `write`, which includes `read`; whoever is signed in may read
`/api/users/me`.
`RateLimit` and `RateLimit-Policy` say what is left to you in this minute.

**A write has one outcome.** Give each one an `Idempotency-Key` of its own and repeat it with that key until it is
answered: it is done once, and the answer is the same, byte for byte, for 24 hours.
"""


class GZip(GZipMiddleware):
    """Compresses for those who ask; others pay nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        wanted = scope["type"] == "http" and "gzip" in Headers(scope=scope).get("Accept-Encoding", "")
        await (super().__call__ if wanted else self.app)(scope, receive, send)


def middleware(options: Options) -> list[Middleware]:
    """What goes around the routes, outermost first."""
    cors = Middleware(
        CORSMiddleware, allow_origins=options.cors_origins, allow_methods=["*"], allow_headers=["*"],
        expose_headers=EXPOSED,
    )  # fmt: skip
    inner = [Middleware(Envelope), Middleware(GZip, minimum_size=1000, compresslevel=5)]
    return [cors, *inner] if options.cors_origins else inner


FIRST = ("users", "organizations", "organization_memberships", "auth", "access", "invitations", "sessions", "roles")
"""The groups of routes that most people come for."""


def tags() -> list[dict[str, str]]:
    """The groups of routes, each in a sentence: first what most people come for, last what operators do."""
    found = {one.name: inspect.getdoc(one.shape) or "" for one in catalog.resources()}
    others = {
        "access": "Who may do what, answered from the copy.",
        "auth": "Signing up and in: WorkOS decides, and what it answers is handed through. Nothing secret is kept.",
        "failures": "Entries that could not be applied, and what to do about them.",
        "webhooks": "For WorkOS.",
        "monitoring": "For those who watch over it.",
    }
    told = found | others
    names = [*FIRST, *sorted(found.keys() - FIRST), *(name for name in others if name not in FIRST)]
    return [{"name": name, "description": told[name]} for name in names]


class Api(FastAPI):
    """FastAPI with the schemas that our own descriptions refer to."""

    def openapi(self) -> dict[str, Any]:
        """The description of the API."""
        document = super().openapi()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in documents.components(
            (documents.ProblemDocument, *(write.body for write in router.WRITES if write.body))
        ).items():
            known.setdefault(name, schema)
        documents.complete(document, self.routes)
        security.complete(document, self.routes)
        return document


def gate(options: Options) -> Gate:
    """What callers are held against."""
    client_id, issuers = options.workos_client_id, options.token_issuers
    tokens = Tokens(client_id, issuers) if client_id else None
    return Gate(options.api_keys, tokens, open=options.open, limit=options.rate_limit)


def create_app(options: Options, *, http: httpx.AsyncClient | None = None) -> FastAPI:
    """The API over a database and a WorkOS, which is asked over `http` or over a client of the app's own."""
    app = Api(
        title="user_management",
        summary="A live, local copy of WorkOS",
        description=DESCRIPTION,
        openapi_tags=tags(),
        version=version("user-management"),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan(options, http),
        middleware=middleware(options),
        exception_handlers=dict.fromkeys(errors.HANDLED, errors.handle),
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},  # `Envelope` does it
    )
    app.state.gate = gate(options)
    router.install(app.router, catalog.resources())
    pages.mount(app)
    workos.install(app.router, catalog.resources())  # last, for it takes whatever is nobody's
    app.router.routes.insert(0, Index(app.router.routes))
    return app
