"""Print `poetry.lock` as a pip requirements file with hashes, so that installing needs pip alone.

    python deploy/requirements.py [--group main] [--group dev] [--extra embedded]

The output is for `pip install --require-hashes --no-deps -r /dev/stdin`; it names no index, so pip's own
configuration decides where packages come from.
"""

import argparse
import tomllib
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "poetry.lock"
ALWAYS = 'python_version >= "3"'


def marker_of(package: dict[str, Any], group: str, extras: list[str]) -> str:
    """The environment marker of a locked package in one group, with the chosen extras taken as given."""
    markers = package.get("markers", "")
    marker: str = markers.get(group, "") if isinstance(markers, dict) else markers
    for extra in extras:
        marker = marker.replace(f'extra == "{extra}"', ALWAYS)
    return marker


def requirement(package: dict[str, Any], markers: list[str]) -> str:
    """One requirements line: the pinned version, when it applies and every hash it may have."""
    condition = "" if "" in markers else " ; " + " or ".join(f"({marker})" for marker in markers)
    hashes = "".join(f" \\\n    --hash={file['hash']}" for file in package["files"])
    return f"{package['name']}=={package['version']}{condition}{hashes}"


def requirements(lock: dict[str, Any], groups: list[str], extras: list[str]) -> list[str]:
    """The lines for every package of `lock` that one of `groups` needs."""
    lines = []
    for package in lock["package"]:
        markers = [marker_of(package, group, extras) for group in groups if group in package["groups"]]
        if markers:
            lines.append(requirement(package, markers))
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", action="append", help="a dependency group (default: main)")
    parser.add_argument("--extra", action="append", default=[], help="an optional extra of the project")
    chosen = parser.parse_args()
    print("\n".join(requirements(tomllib.loads(LOCK.read_text()), chosen.group or ["main"], chosen.extra)))
