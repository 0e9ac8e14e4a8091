"""What a campaign came to, as a table: fault class, runs, failures."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Line:
    """One fault class: what it is, how often it was tried, and how often that went wrong."""

    fault: str
    about: str
    runs: int
    failures: int


def table(lines: Iterable[Line]) -> Table:
    """The lines, and their sum."""
    found, shown = list(lines), Table("fault class", "what happens", "runs", "failures")
    for line in found:
        shown.add_row(line.fault, line.about, f"{line.runs:,}", f"{line.failures:,}")
    runs, failures = sum(line.runs for line in found), sum(line.failures for line in found)
    shown.add_section()
    shown.add_row("all", "", f"{runs:,}", f"{failures:,}")
    return shown
