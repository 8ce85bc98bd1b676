"""CEL, the language of rules. Pure."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

# Left to itself the package loads its command line, and with that a terminal's tools, for which nothing here has a use:
# a tenth of a second or two, and nine megabytes, in every command, web process and job that looks at a rule.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402


def compile_rule(when: str) -> tuple[Any, frozenset[str]]:
    """The program and the variables it reads. Raises `ValueError` for what is not CEL."""
    program = cel.compile(when)
    return program, frozenset(program.variables())
