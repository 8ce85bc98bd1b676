"""Where the files that ship beside the code are: in a checkout, an editable install and a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def _beside(name: str) -> Path:
    # A wheel carries them inside the package, under a leading underscore (see pyproject.toml).
    packed = PACKAGE / f"_{name}"
    return packed if packed.is_dir() else PACKAGE.parent / name


def templates_dir() -> Path:
    return _beside("templates")


def migrations_dir() -> Path:
    return _beside("migrations")
