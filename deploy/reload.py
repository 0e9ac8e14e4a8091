"""`python deploy/reload.py MODULE`: run a module, and run it again whenever a file of user_management/ changes."""

import runpy
import sys
from functools import partial
from socket import socket

import uvicorn
from uvicorn.supervisors import ChangeReload


def run(module: str, sockets: list[socket] | None) -> None:  # noqa: ARG001  a server would be given some
    """Run a module as `python -m` does."""
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    watched = uvicorn.Config("", reload=True, reload_dirs=["user_management"], log_config=None)
    ChangeReload(watched, target=partial(run, sys.argv[1]), sockets=[]).run()
