"""Which items say nearly the same: a digest of the input's words, compared within a queue. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Any

_WORD = re.compile(r"\w+")
_ASCII = {code: chr(code).lower() if _WORD.match(chr(code)) else " " for code in range(128)}


def similar_key(input_text: str) -> str | None:
    """SHA-256 of the words of all texts in the input: case, order of white space and punctuation do not count.

    `input_text` is JSON. None when there are no words to compare.
    """
    words = " ".join(filter(None, map(_words, _texts(json.loads(input_text)))))
    return hashlib.sha256(words.encode()).hexdigest() if words else None


def _words(text: str) -> str:
    """The words of the text, with one space between two."""
    if not text.isascii():
        return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    # The same in a tenth of the time.
    text = text.translate(_ASCII).strip(" ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key in sorted(value) for text in _texts(value[key])]
    if isinstance(value, list):
        return [text for element in value for text in _texts(element)]
    return [] if value is None else [str(value)]
