"""Editors: what a task type adds to the desk's form, and the way back to a value. Pure; one module a type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from werkzeug.datastructures import MultiDict

from reviewqueue.errors import Faults


class Editor(Protocol):
    """One item in one type's editor, begun with the AI's value."""

    def take(self, data: MultiDict[str, str]) -> None:
        """Hold what a form sent, or a draft."""

    def as_form(self, value: Any) -> Iterable[tuple[str, str]]:
        """What a form would send that held `value`."""

    @property
    def changed(self) -> bool:
        """Whether it differs from what the AI gave."""

    def decided(self, faults: Faults) -> Any:
        """The value it holds, the AI's own where nothing was changed; MISSING where it says none."""
