"""The report: a table of figures, one row for each, one column for each number of users, and the machine's facts."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- begin: written by `make bench` -->", "<!-- end -->"


def render(figures: Sequence[Figure], facts: Sequence[str]) -> str:
    """The whole report as Markdown."""
    sizes = sorted({figure.users for figure in figures})
    header = ["What", *(f"{size:,} users" for size in sizes), "Target", "Met"]
    rows = [header, ["---"] * len(header), *(row(list(group), sizes) for group in grouped(figures))]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"{'; '.join(facts)}.\n\n{table}\n"


def grouped(figures: Sequence[Figure]) -> list[list[Figure]]:
    """The figures of one row together, rows in the order in which they first appear."""
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.name, []).append(figure)
    return list(groups.values())


def row(group: list[Figure], sizes: Sequence[int]) -> list[str]:
    """One row."""
    words = {figure.users: figure.words for figure in group}
    target = group[0].target
    return [group[0].name, *(words.get(size, "") for size in sizes), target.words if target else "", verdict(group)]


def verdict(group: list[Figure]) -> str:
    """Whether a target is met at every size, and by how much it is missed where it is not."""
    if group[0].target is None:
        return ""
    missed = [
        f"no: {figure.target.missed_by(figure.value):.1%} off at {figure.users:,}"
        for figure in group
        if figure.target is not None and not figure.target.met(figure.value)
    ]
    return "; ".join(missed) or "yes"


def machine(postgresql: str) -> list[str]:
    """What the figures are measured on, and how busy it already is; nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"Measured {datetime.now(UTC):%Y-%m-%d}",
        f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GB",
        f"Linux {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"PostgreSQL {postgresql.split(maxsplit=1)[0]} (embedded, durability on)",
        f"load average {os.getloadavg()[0]:.1f} from other work before it began",
    ]


def processor() -> str:
    """The model of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write(report: str) -> None:
    """Put the report into the README, between its marks."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n\n{report}\n{END}{rest.split(END)[1]}")
