"""`user-management demo`: the same as `python -m user_management.demo`."""

import os
import sys

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every option belongs to the demo."""


def demo(context: typer.Context) -> None:
    """Run everything on this machine: a local WorkOS, PostgreSQL, listener and API.  Example: user-management demo."""
    os.execv(sys.executable, [sys.executable, "-m", "user_management.demo", *context.args])  # noqa: S606  our own module
