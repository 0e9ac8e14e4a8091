"""An OTLP endpoint that takes everything and keeps nothing."""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send


async def take(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read a request to its end, and be content."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


if __name__ == "__main__":
    uvicorn.run(take, port=int(sys.argv[1]), lifespan="off", log_config=None, access_log=False)
