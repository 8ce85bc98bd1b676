"""The templates a queue can be made from: the sample queues, each with an example of its items, and its picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from reviewqueue import samples
from reviewqueue.core.vocabulary import word
from reviewqueue.errors import NotFound
from reviewqueue.media.kinds import kind_of
from reviewqueue.media.reading import Picture
from reviewqueue.models.states import MediaState
from reviewqueue.queues.configuration import QueueConfig, parse
from reviewqueue.queues.references import NAME, references_in
from reviewqueue.review.previews import Preview, preview
from reviewqueue.samples.pictured import pictured

_FOR = {
    "support-intents": word(
        "A classifier reads what customers write. People confirm its label with a key, or pick another."
    ),
    "reply-drafts": word("A model drafts replies. People send them as they are, or mend the words first."),
    "invoices": word("A reader takes fields from documents. People look at the doubtful ones and correct them."),
    "survey-topics": word(
        "A model ticks every topic of an answer. People add what it missed and take away what is wrong."
    ),
    "answer-pairs": word(
        "Two or more answers to one question. People say which is better: data for preference training."
    ),
    "agent-replies": word(
        "An agent wants to answer and to call tools. People approve, mend the arguments, or stop it."
    ),
    "names-in-notes": word("A model marks names, dates and numbers in a text. People mend the marks in place."),
    "delivery-notes": word("A reader takes fields from scans or PDFs. People see both, and correct with a click."),
    "shelf-goods": word("A detector draws labelled boxes on a photograph. People move, name, add and remove them."),
}
_KIND = {
    "choice": word("One label"), "multi_choice": word("Several labels"), "text": word("A text"), "json": word("Fields"),
    "compare": word("The better one"), "chat": word("Replies and tool calls"), "spans": word("Marks in a text"),
    "document": word("Fields beside their page"), "image_boxes": word("Boxes on a picture"),
}  # fmt: skip


@dataclass(frozen=True)
class Template:
    """A sample queue as a start for one's own."""

    slug: str
    title: str
    what: str
    """What it is for, in plain words."""
    kind: str
    """What is decided, in a few words."""
    yaml: str
    """The document as the sample has it."""
    document: str
    """The same as JSON."""
    config: QueueConfig
    example: Mapping[str, Any]
    """An item that goes to people. Where it refers to a picture, it names that by its SHA-256."""
    picture: bytes | None
    """What the example refers to."""

    @property
    def preview(self) -> Preview:
        return preview(self.config, self.example, self._pictures())

    def _pictures(self) -> list[Picture]:
        kind = kind_of(self.picture) if self.picture else None
        if kind is None:
            return []
        pointer = next(references_in(self.example["input"])).pointer
        return [Picture(0, pointer, MediaState.READY, kind.mime, kind.width, kind.height)]


@cache
def templates() -> tuple[Template, ...]:
    """All of them, in the order of the demonstration."""
    examples: dict[str, Mapping[str, Any]] = {}
    pictures: dict[str, bytes] = {}

    def noted(_slug: str, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        pictures[sha256] = data
        return sha256

    for item in chain(samples.items(), pictured(noted)):
        examples.setdefault(item["queue"], item)
    return tuple(_template(slug, examples[slug], pictures) for slug in samples.QUEUES if slug in examples)


def _template(slug: str, example: Mapping[str, Any], pictures: Mapping[str, bytes]) -> Template:
    text = (samples.HERE / f"{slug}.yaml").read_text(encoding="utf-8")
    config, document = parse(text, final_say=True)
    kind = config.view.type
    what = _FOR.get(slug) or config.instructions.strip().partition("\n")[0]
    picture = next((pictures[one.given] for one in references_in(example["input"])), None)
    return Template(
        slug, config.title, what, _KIND.get(kind, kind.replace("_", " ")), text, document, config, example, picture
    )  # fmt: skip


def template(slug: str) -> Template:
    """Raises `NotFound`."""
    for found in templates():
        if found.slug == slug:
            return found
    raise NotFound("There is no such template.")


def document_of(found: Template, *, name: str, title: str) -> str:
    """The template's document under another name; all else as it stands."""
    return json.dumps({**json.loads(found.document), "name": name, "title": title}, ensure_ascii=False)


def template_of(config: QueueConfig) -> Template | None:
    """The template with the same schemas; None where the queue was made of none."""
    return next(
        (
            found
            for found in templates()
            if found.config.output_schema == config.output_schema and found.config.input_schema == config.input_schema
        ),
        None,
    )


def trial_item(config: QueueConfig, queue: str, picture: str | None = None) -> dict[str, Any] | None:
    """An item for `queue` that goes to people: the example of its template; None where there is none. `picture` is the
    upload that it refers to."""
    found = template_of(config)
    if found is None:
        return None
    kept = {key: value for key, value in found.example.items() if key not in _OWN}
    if found.picture is not None:
        kept["input"] = {
            name: {NAME: picture} if isinstance(value, dict) and NAME in value else value
            for name, value in kept["input"].items()
        }
    return {"queue": queue, **kept, "test": True}


_OWN = {"queue", "external_id"}
