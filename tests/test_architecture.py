"""The one-way rule: a module imports only from layers below its own, never sideways between parts."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS: tuple[frozenset[str], ...] = (  # from the top
    frozenset({"app", "lib.demo", "lib.sessions"}),
    frozenset({"pages"}),
    frozenset({"lib.ui"}),
    frozenset({"lib.recall.lab"}),
    frozenset({"lib.roundtable"}),
    frozenset({"lib.runs"}),
    frozenset({"lib.teams", "lib.models"}),
    frozenset({"lib.storage"}),
    frozenset({"lib.replay", "lib.recall", "lib.settings"}),
    frozenset({"lib.events"}),
    frozenset({"lib.records", "lib.errors", "lib.terminal"}),
)
DEPTH = {part: depth for depth, layer in enumerate(LAYERS) for part in layer}
LOWEST = len(LAYERS) - 1

MAY_IMPORT = {
    "streamlit": {"app", "pages", "lib.ui"},
    "sqlalchemy": {"lib.storage"},
    "agno": {"lib.storage", "lib.models", "lib.teams", "lib.runs", "lib.roundtable", "lib.recall.lab"},
}
FRONT_DOOR_IS_FOR = {"app", "lib.demo", "lib.sessions", "pages", "lib.ui"}
STANDARD_LIBRARY_ONLY = {"lib", "lib.records", "lib.errors", "lib.terminal", "lib.events", "lib.replay", "lib.recall"}


def list_modules(root: Path) -> list[str]:
    """Return the dotted names of the app's own modules under `root`."""
    files = [root / "app.py", *(root / "lib").rglob("*.py"), *(root / "pages").rglob("*.py")]
    names = (".".join(file.relative_to(root).with_suffix("").parts) for file in files if file.exists())
    return sorted(name.removesuffix(".__init__") for name in names)


def find_part(module: str) -> str:
    """Return the part a module belongs to; a command line (`__main__`) and the front door are parts of their own."""
    if module == "lib":
        return "lib"
    if module.endswith(".__main__"):
        return "app"
    matches = [part for part in DEPTH if module == part or module.startswith(part + ".")]
    assert matches, f"{module} belongs to no layer: put it into one, or name its layer in {Path(__file__).name}"
    return max(matches, key=len)


def read_imports(root: Path, module: str) -> Iterator[str]:
    """Yield every dotted name the module imports, wherever in it; `from a import b` gives a.b where that is a module."""
    path = root.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                # `import lib` loads nothing and gives lib.__version__.
                yield from (alias.name for alias in names if alias.name != "lib")
            case ast.ImportFrom(module=str(source), level=0, names=names):
                for alias in names:
                    if alias.name == "__version__":
                        continue
                    inner = f"{source}.{alias.name}"
                    yield inner if is_module(root, inner) else source
            case ast.ImportFrom():
                raise AssertionError(f"{module} has a relative import")


def is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def find_breaches(root: Path, module: str) -> list[str]:
    """Return a sentence for every import that the rule forbids."""
    part = find_part(module)
    depth = DEPTH.get(part, LOWEST + 1)
    breaches = []
    for name in read_imports(root, module):
        package = name.split(".")[0]
        if name == "lib":
            if part not in FRONT_DOOR_IS_FOR:
                breaches.append(
                    f"{module} imports from the front door, which is for {', '.join(sorted(FRONT_DOOR_IS_FOR))}"
                )
        elif package in {"lib", "pages", "app"}:
            target = find_part(name)
            if target != part and DEPTH.get(target, LOWEST + 1) <= depth:
                breaches.append(f"{module} ({part}) imports {name}, which is not below it")
        elif package in MAY_IMPORT and part not in MAY_IMPORT[package]:
            breaches.append(f"{module} imports {name}; only {', '.join(sorted(MAY_IMPORT[package]))} may")
        elif part in STANDARD_LIBRARY_ONLY and package != "lib" and package not in sys.stdlib_module_names:
            breaches.append(f"{module} imports {name}; {part} knows the standard library only")
    return breaches


@pytest.mark.parametrize("module", list_modules(ROOT))
def test_a_module_imports_only_from_below(module: str) -> None:
    assert find_breaches(ROOT, module) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("lib.replay.tree", "from lib.storage import open_database"),
        ("lib.replay.tree", "from lib import settings"),
        ("lib.replay.tree", "import pandas"),
        ("lib.teams.desk", "from lib.models.offline import OfflineModel"),
        ("lib.storage.engine", "def late():\n    import streamlit as st"),
        ("lib.storage.engine", "from lib.runs import RunEngine"),
        ("lib.recall.window", "from lib.recall.lab import measure"),
        ("lib.runs.engine", "from sqlalchemy import text"),
        ("lib.ui.shell", "import agno.team"),
        ("lib.ui.shell", "from pages import chat"),
        ("lib.runs.engine", "from lib import open_roundtable"),
        ("lib.records", "import pydantic"),
        ("lib", "from lib.settings import Settings"),
    ],
)
def test_the_rule_sees_every_kind_of_breach(tmp_path: Path, module: str, line: str) -> None:
    for name in (*DEPTH, "lib"):
        folder = tmp_path.joinpath(*name.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    path = tmp_path.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    file.write_text(line)
    assert len(find_breaches(tmp_path, module)) == 1


def test_the_front_door_and_the_lower_layers_import_nothing_heavy() -> None:
    program = (
        "import sys, lib, lib.records, lib.errors, lib.events, lib.settings\n"
        "heavy = {'agno', 'sqlalchemy', 'streamlit', 'pandas', 'openai'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
