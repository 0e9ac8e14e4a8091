"""Our API with one route more, an empty one as FastAPI's first page teaches it: what any route of it costs at least."""

import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute

from user_management import __main__ as api
from user_management import settings


def create_app() -> FastAPI:
    """The app as its own processes make it, and the empty route."""
    app = api.create_app()
    app.router.route_class = APIRoute

    @app.get("/api/empty")
    async def empty() -> dict[str, str]:
        return {}

    app.router.routes.insert(0, app.router.routes.pop())  # looked at first, as it would be were it the only one
    return app


def main() -> None:
    """Serve it."""
    uvicorn.run(
        create_app(), port=settings.load().port, loop="uvloop", http="httptools", ws="none", log_config=None,
        access_log=False, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
