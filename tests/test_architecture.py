"""The house: floors, heavy imports, packaging, and what stands at the top level."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
PACKAGE = HOUSE / "neurodata"

# Lowest first; a module imports its own subpackage and lower floors only.
FLOORS = [
    {"errors", "forms", "signals", "draws", "steps", "targets", "registry", "kernel", "progress", "storage"},
    {"formats"},
    {"transforms", "encodings"},
    {"datasets"},
    {"augmentations"},
    {"recipe"},
    {"store"},
    {"pipeline"},
    {"loader"},
    {"report", "adapters", "api"},
    {"models"},
    {"train"},
    {"cli"},
]
HEAVY = {
    "torch": {"augmentations", "loader", "adapters", "models", "train"},
    "zarr": {"store"},
    "numcodecs": {"store"},
    "google_crc32c": {"store"},
    "typer": {"cli"},
    "rich": {"cli"},
    "spikingjelly": {"models", "train"},
    "tonic": {"adapters"},
    "matplotlib": {"report"},
    "PIL": {"report"},
}
# Inside the lowest floor, in this order.
GROUND = ["errors", "forms", "signals", "progress", "kernel", "draws", "steps", "targets", "registry", "storage"]


def sources() -> Iterator[tuple[str, Path]]:
    """(unit, file) of every module; a unit is a subpackage or a module of the top level."""
    for file in sorted(PACKAGE.rglob("*.py")):
        unit = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if unit != "__init__":
            yield unit, file
    for file in sorted((HOUSE / "cli").glob("*.py")):
        yield "cli", file


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether only type checkers see it) of each absolute import of a file."""
    tree = ast.parse(file.read_text("utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in for_types
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"neurodata.{alias.name}" for alias in node.names] if node.module == "neurodata" else [node.module]
            for name in names:
                yield name, id(node) in for_types


def floor_of(unit: str) -> int:
    return next(level for level, units in enumerate(FLOORS) if unit in units)


MODULES = [pytest.param(unit, file, id=file.relative_to(HOUSE).as_posix()) for unit, file in sources()]


@pytest.mark.parametrize(("unit", "file"), MODULES)
def test_a_module_imports_its_own_subpackage_and_lower_floors_only(unit: str, file: Path) -> None:
    for module, _ in imports(file):
        parts = module.split(".")
        if parts[0] != "neurodata" or len(parts) < 2 or parts[1] == unit:
            continue
        if unit == "cli" and parts[1] not in {unit for units in FLOORS for unit in units}:
            continue  # The public names, which the command uses as anybody would.
        if floor_of(unit) == 0 == floor_of(parts[1]):
            assert GROUND.index(parts[1]) < GROUND.index(unit), f"{unit} imports {module}"
        else:
            assert floor_of(parts[1]) < floor_of(unit), f"{unit} imports {module}"


@pytest.mark.parametrize(("unit", "file"), MODULES)
def test_heavy_libraries_stay_where_they_belong(unit: str, file: Path) -> None:
    for module, for_types in imports(file):
        allowed = HEAVY.get(module.split(".")[0])
        assert allowed is None or for_types or unit in allowed, f"{unit} imports {module}"


def test_nothing_imports_the_command() -> None:
    for _, file in sources():
        assert not any(module.startswith("neurodata.cli") for module, _ in imports(file)), file


def test_importing_neurodata_is_light() -> None:
    code = "import sys, neurodata; print(sorted({'torch', 'numba', 'zarr', 'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listing_names_imports_no_plug() -> None:
    code = (
        "import sys; from neurodata import registry;"
        "print([r.names() for r in (registry.formats, registry.encodings, registry.datasets, registry.models)]);"
        "print(sorted(m for m in sys.modules if m.startswith('neurodata.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, modules = done.stdout.splitlines()
    assert "dvs-gesture" in names
    assert modules == "['neurodata.errors', 'neurodata.registry']"


def test_packages_are_the_folders() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))
    folders = {"neurodata", "neurodata.cli", "neurodata.recipes"}
    folders |= {f"neurodata.{init.parent.name}" for init in PACKAGE.glob("*/__init__.py")}
    assert sorted(folders) == project["tool"]["setuptools"]["packages"]


def test_every_dependency_floor_has_a_reason() -> None:
    for line in (HOUSE / "pyproject.toml").read_text("utf-8").splitlines():
        if ">=" in line and line.lstrip().startswith('"') and "neurodata" not in line:
            assert "#" in line, line


def test_the_top_level_shows_the_architecture() -> None:
    expected = {
        "pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile", "constraints.txt",
        "recipes", "cache", "cli", "tests", "neurodata", "benchmarks", "docs",
    }  # fmt: skip
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} == expected


def test_every_module_says_what_it_is() -> None:
    for _, file in sources():
        assert ast.get_docstring(ast.parse(file.read_text("utf-8"))), file
