"""The templates a queue can be made from: the sample queues, each with an example of its items."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from reviewqueue import samples
from reviewqueue.core.vocabulary import word
from reviewqueue.errors import NotFound
from reviewqueue.queues.configuration import QueueConfig, parse
from reviewqueue.review.previews import Preview, preview

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
}
_KIND = {
    "choice": word("One label"), "multi_choice": word("Several labels"), "text": word("A text"), "json": word("Fields"),
    "compare": word("The better one"), "chat": word("Replies and tool calls"), "spans": word("Marks in a text"),
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
    """An item that goes to people."""

    @property
    def preview(self) -> Preview:
        return preview(self.config, self.example)


@cache
def templates() -> tuple[Template, ...]:
    """All of them, in the order of the demonstration."""
    examples: dict[str, Mapping[str, Any]] = {}
    for item in samples.items():
        examples.setdefault(item["queue"], item)
    return tuple(_template(slug, examples[slug]) for slug in samples.QUEUES if slug in examples)


def _template(slug: str, example: Mapping[str, Any]) -> Template:
    text = (samples.HERE / f"{slug}.yaml").read_text(encoding="utf-8")
    config, document = parse(text, final_say=True)
    kind = config.view.type
    what = _FOR.get(slug) or config.instructions.strip().partition("\n")[0]
    return Template(slug, config.title, what, _KIND.get(kind, kind.replace("_", " ")), text, document, config, example)


def template(slug: str) -> Template:
    """Raises `NotFound`."""
    for found in templates():
        if found.slug == slug:
            return found
    raise NotFound("There is no such template.")


def document_of(found: Template, *, name: str, title: str) -> str:
    """The template's document under another name; all else as it stands."""
    return json.dumps({**json.loads(found.document), "name": name, "title": title}, ensure_ascii=False)


def trial_item(config: QueueConfig, queue: str) -> dict[str, Any] | None:
    """An item for `queue` that goes to people: the example of the template with the same schemas; None where the queue
    was made of none."""
    for found in templates():
        if found.config.output_schema == config.output_schema and found.config.input_schema == config.input_schema:
            kept = {key: value for key, value in found.example.items() if key not in _OWN}
            return {"queue": queue, **kept, "test": True}
    return None


_OWN = {"queue", "external_id"}
