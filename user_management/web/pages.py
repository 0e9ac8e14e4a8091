"""Pages for people: where to start, and the documentation, from files of ours and from nowhere else."""

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent.parent / "static"
URL = "/api/static"


POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src 'self' blob:"
)
"""Browsers keep the pages from loading anything from elsewhere, whatever their scripts try."""
SWAGGER = {
    "displayRequestDuration": True,
    "docExpansion": "none",
    "filter": True,
    "tryItOutEnabled": True,
    "validatorUrl": None,
}
"""How Swagger behaves: its groups are closed, for there are many routes. It keeps no key in the browser."""


def mount(app: FastAPI) -> None:
    """Add the pages to an app."""
    app.add_route("/", start, include_in_schema=False)
    app.add_route("/api/docs", swagger, include_in_schema=False)
    app.add_route("/api/redoc", redoc, include_in_schema=False)
    app.mount(URL, Cached(directory=STATIC))


class Cached(StaticFiles):
    """Files that change only with a release."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, to be kept for a day."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


async def start(_request: Request) -> Response:
    """Where to start."""
    return own(FileResponse(STATIC / "start.html"))


async def swagger(request: Request) -> Response:
    """The documentation to try things out with."""
    page = get_swagger_ui_html(
        openapi_url=request.app.openapi_url,
        title=f"{request.app.title} · API",
        swagger_js_url=f"{URL}/swagger-ui-bundle.js",
        swagger_css_url=f"{URL}/swagger-ui.css",
        swagger_favicon_url=f"{URL}/favicon.svg",
        swagger_ui_parameters=SWAGGER,
    )
    return own(page)


async def redoc(request: Request) -> Response:
    """The documentation to read."""
    page = get_redoc_html(
        openapi_url=request.app.openapi_url,
        title=f"{request.app.title} · API",
        redoc_js_url=f"{URL}/redoc.standalone.js",
        redoc_favicon_url=f"{URL}/favicon.svg",
        with_google_fonts=False,
    )
    return own(page)


def own(page: Response) -> Response:
    """A page that may load nothing but files of ours."""
    page.headers["Content-Security-Policy"] = POLICY
    return page
