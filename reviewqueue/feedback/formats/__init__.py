"""The formats of an export: how a record becomes a line. Pure."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from reviewqueue.core.vocabulary import word
from reviewqueue.feedback.formats import classification, spans
from reviewqueue.feedback.formats.frame import Frame

JSONL, CSV, COCO, LABEL_STUDIO, HUGGING_FACE = "jsonl", "csv", "coco", "label-studio", "huggingface"
MEDIA_TYPES = {
    "jsonl": "application/x-ndjson", "csv": "text/csv", "json": "application/json",
    "parquet": "application/vnd.apache.parquet", "md": "text/markdown", "txt": "text/plain",
}  # fmt: skip
"""By what a file's name ends with."""


class Writer(Protocol):
    """One file of an export."""

    @property
    def rows(self) -> int:
        """Records, examples or pictures that are in it."""

    def begin(self) -> bytes:
        """What it begins with."""

    def take(self, row: Any, decisions: Sequence[Any], media: Sequence[Any], record: bytes) -> bytes:
        """What an item adds; `media` is empty for a format without them; `record` is its feedback record."""

    def end(self) -> bytes:
        """What it ends with."""


@dataclass(frozen=True)
class Format:
    suffix: str
    title: str
    made_by: str
    """Module and function or class that makes the writer, imported when it is needed."""
    types: frozenset[str] | None = None
    """Types of view that it can say; None: all."""
    media: bool = False
    """Whether it names an item's media."""
    folder: str = ""
    """Where its files lie."""
    needs: str | None = None
    """A package of an extra."""


KNOWN: dict[str, Format] = {
    JSONL: Format("jsonl", word("JSONL: one feedback record a line"), "lines.Records"),
    CSV: Format("csv", word("CSV: one row an item"), "lines.items"),
    "parquet": Format("parquet", word("Parquet: one row an item, typed"), "parquet.Parquet", needs="pyarrow"),
    HUGGING_FACE: Format(
        "parquet", word("Hugging Face folder: Parquet by split, with a card"), "parquet.Parquet", folder="data/",
        needs="pyarrow",
    ),
    "classification": Format(
        "jsonl", word("Classification: text and label"), "classification.writer", types=classification.TYPES
    ),
    "sft": Format("jsonl", word("Fine-tuning: conversations with the right answer"), "sft.writer"),
    "preference-openai": Format("jsonl", word("Preference pairs as OpenAI takes them"), "preference.openai"),
    "preference-trl": Format("jsonl", word("Preference pairs as TRL takes them (DPO)"), "preference.trl"),
    "kto": Format("jsonl", word("Liked and disliked answers, unpaired (KTO)"), "preference.kto"),
    "spans": Format("jsonl", word("Spans: texts with offsets"), "spans.offsets", types=spans.TYPES),
    "iob": Format("jsonl", word("Spans: words with IOB tags"), "spans.iob", types=spans.TYPES),
    "tabular": Format("csv", word("Fields: before and after, one row a field"), "tabular.writer"),
    "crowd": Format("csv", word("Answers: one row a person and item, for crowd-kit"), "crowd.writer"),
    "a2i": Format("jsonl", word("Amazon A2I: the output of human loops"), "a2i.writer"),
    COCO: Format("json", word("COCO: boxes on pictures"), "coco.Coco", types=frozenset({"image_boxes"}), media=True),
    LABEL_STUDIO: Format(
        "json", word("Label Studio: tasks with predictions and annotations"), "label_studio.LabelStudio",
        types=frozenset({"image_boxes", "spans", "choice", "multi_choice", "text"}), media=True,
    ),
}  # fmt: skip
FORMATS = tuple(KNOWN)


def writer(kind: str, frame: Frame) -> Writer:
    """For one file of that format."""
    module, _, name = KNOWN[kind].made_by.rpartition(".")
    made_by = getattr(importlib.import_module(f"reviewqueue.feedback.formats.{module}"), name)
    return cast("Callable[[Frame], Writer]", made_by)(frame)
