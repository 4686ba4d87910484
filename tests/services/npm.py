"""Tools from npm, pinned by tests/services/package-lock.json and installed into .tools by `make test`."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def get_npm_file(name: str) -> Path:
    """Return a file of an installed npm package, such as "axe-core/axe.min.js"; installs the packages when they are missing."""
    # Quick when nothing is missing, and right after the lock has changed.
    installed = subprocess.run(["sh", ".ci/packages"], cwd=ROOT, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        raise RuntimeError(f"the tests' npm packages cannot be installed:\n{installed.stdout}{installed.stderr}")
    file = ROOT / ".tools" / "node_modules" / name
    if not file.exists():
        raise RuntimeError(f"{name} is in no package of tests/services/package.json")
    return file
