"""What the layout promises and no linter knows; the layers themselves are `make imports`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from user_management import mirror
from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource

PACKAGE = Path(mirror.__path__[0]).parent
SOURCES = [path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts]
LONGEST_MODULE, LONGEST_BODY = 350, 50
"""Lines."""


def imports(path: Path) -> Iterator[str]:
    """The modules a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def bodies(path: Path) -> Iterator[tuple[str, int]]:
    """The functions of a file, and the lines of their bodies without the docstring."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            yield node.name, (body[-1].end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("resource", catalog.resources(), ids=lambda resource: resource.name)
def test_resources_do_not_import_each_other(resource: Resource) -> None:
    """What two resources share stands in the engine."""
    names = {f"user_management.mirror.{one.name}" for one in catalog.resources()}
    found = set(imports(PACKAGE / "mirror" / f"{resource.name}.py"))
    assert names.isdisjoint(found)


def test_a_resource_is_one_file_one_migration_and_one_sample() -> None:
    """Whoever adds one need look nowhere else."""
    names = {one.name for one in catalog.resources()}
    migrations = {path.stem.partition("_")[2] for path in (PACKAGE / "db/migrations/versions").glob("*.py")}
    samples = {path.stem for path in (PACKAGE / "tests/data/events").glob("*.json")}
    assert names <= migrations
    assert names == samples


@pytest.mark.parametrize("package", ["journal", "mirror/engine", "listener", "services/workos", "db"])
def test_the_page_names_the_parts(package: str) -> None:
    """Each module of these packages has its words in ARCHITECTURE.md, and each word its module."""
    page = (PACKAGE / "ARCHITECTURE.md").read_text()
    (row,) = re.findall(rf"^\| `{package}/` \| (.*?) \|", page, re.MULTILINE)
    modules = {path.stem for path in (PACKAGE / package).glob("*.py") if not path.stem.startswith("__")}
    assert set(re.findall(r"`(\w+)`", row)) == modules


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_is_read_in_one_go(path: Path) -> None:
    """No module and no function is longer than a reader's breath."""
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE
    assert [name for name, lines in bodies(path) if lines > LONGEST_BODY] == []
