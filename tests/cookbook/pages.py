"""A page of the cookbook as what is done with it, and what its commands must print.

- A `python` or `yaml` block is the file that the comment in its first line names.
- An `sh` block is typed into the terminal of the page. A `text` or `json` block after it is what it prints.
- A paragraph that begins with **In the desk:** asks for decisions of a person: while the command before it runs when
  what that prints is shown after the paragraph, else when it has ended.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

COOKBOOK = Path(__file__).resolve().parents[2] / "docs" / "cookbook"
INDEX = COOKBOOK / "README.md"
PIECES = re.compile(r"^```(\w*)\n(.*?)^```$|^(\*\*In the desk:\*\*)", re.MULTILINE | re.DOTALL)
FILES, PRINTED = {"python", "yaml"}, {"text", "json"}


@dataclass(frozen=True)
class File:
    """To be saved in the directory of the page."""

    name: str
    text: str


@dataclass
class Command:
    """To be typed into the terminal; `printed` is the language and text of what must come."""

    line: int
    text: str
    printed: tuple[str, str] | None = None


@dataclass
class Desk:
    """A person decides what waits; `meanwhile` says that the command before cannot end without."""

    line: int
    meanwhile: bool = False


Step = File | Command | Desk


def pages() -> list[Path]:
    return sorted(path for path in COOKBOOK.glob("*.md") if path != INDEX)


def steps(text: str) -> list[Step]:
    """What a user does with a page, in order. Raises `AssertionError` for a block that is nothing of this."""
    found: list[Step] = []
    for piece in PIECES.finditer(text):
        line = text.count("\n", 0, piece.start()) + 1
        language, content = piece[1], piece[2]
        if piece[3]:
            assert found, f"line {line}: nothing is there to be decided"
            found.append(Desk(line))
        elif language == "sh":
            found.append(Command(line, content))
        elif language in FILES:
            name = re.match(r"# ([\w.-]+\.\w+)\n", content)
            assert name, f"line {line}: the first line of a {language} block names its file, as in `# name.py`"
            found.append(File(name[1], content))
        else:
            assert language in PRINTED, f"line {line}: {language or 'a block without a language'}"
            commands = [step for step in found if isinstance(step, Command)]
            assert commands, f"line {line}: there is no command that could print this"
            assert commands[-1].printed is None, f"line {line}: the command before has its output already"
            commands[-1].printed = language, content
            if isinstance(found[-1], Desk):
                found[-1].meanwhile = True
    return found


def fits(language: str, expected: str, printed: str) -> bool:
    """Whether `printed` is what the page shows; `…` stands for anything in a line, alone in a line for any lines.

    JSON may be wrapped as one likes; there `…` stands for anything.
    """
    if language == "json":
        try:
            printed = compact(printed)
        except ValueError:
            return False
        wanted = re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda found: found[1] or "", expected)
        return re.fullmatch(re.escape(wanted).replace("…", ".*"), printed, re.DOTALL) is not None
    wanted = "\n".join(re.escape(line.rstrip()) for line in expected.strip().splitlines())
    wanted = re.sub(r"^…$", "(?s:.*)", wanted, flags=re.MULTILINE).replace("…", ".*")
    return re.fullmatch(wanted, "\n".join(line.rstrip() for line in printed.strip().splitlines())) is not None


def compact(text: str) -> str:
    """JSON documents, one after another, without white space between their tokens."""
    found, rest = "", text.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found += json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        rest = rest[end:].lstrip()
    return found
