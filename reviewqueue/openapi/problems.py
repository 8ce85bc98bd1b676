"""Every error that the API answers with, as an example made by its class. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from reviewqueue import errors
from reviewqueue.core import http
from reviewqueue.errors import Conflict, Error, Fault, GraceOver, Invalid, ItemEnded, LeaseLost, Malformed
from reviewqueue.openapi.operations import Told


class Problem(Told):
    """Why a request was refused (RFC 9457). Programs look at `code`; `detail` is for people."""

    type: str
    """`urn:reviewqueue:error:` and the code."""
    title: str
    status: int
    detail: str
    code: str
    """Stable; see the answers of each operation. Others may be added."""


class PlaceAtFault(Told):
    pointer: str
    """JSON Pointer (RFC 6901) into the body, or the name of a parameter."""
    detail: str


class InvalidProblem(Problem):
    """A problem whose `errors` point at each fault."""

    errors: list[PlaceAtFault]
    """Empty where no one place is at fault."""


KNOWN: Mapping[str, tuple[type[Error], str]] = {
    "bad_request": (http.BadRequest, "The request cannot be understood."),
    "unauthenticated": (errors.Unauthenticated, "Send a token: Authorization: Bearer rq_…"),
    "bad_token": (errors.Unauthenticated, "The token is unknown, revoked or expired. Make a new one."),
    "forbidden": (errors.Forbidden, "This token lacks the scope items:write."),
    "reviewer_paused": (
        errors.NotAdmitted,
        "Your reviewing here is paused: your checks are under the queue's bar. A lead can resume it.",
    ),
    "calibration_failed": (
        errors.NotAdmitted,
        "You met too few of the items whose answer is known. A lead can let you try again, or begin.",
    ),
    "calibration_in_hand": (
        errors.NotAdmitted,
        "You have all the items of your calibration in your hands: decide those first.",
    ),
    "no_gold_left": (
        errors.NotAdmitted,
        "You are new here, and the queue has no item with a known answer left to begin with.",
    ),
    "not_found": (errors.NotFound, "Nothing is known under this address."),
    "too_large": (errors.TooLarge, "The request is larger than this server accepts. Split it, or send less."),
    "unsupported_media_type": (http.UnsupportedMediaType, "application/json"),
    "range_not_satisfiable": (http.RangeNotSatisfiable, "Ask for bytes that the file has, or leave Range out."),
    "internal_error": (Error, "Something unexpected went wrong. It was logged as 5f2c9a01."),
    "too_many_requests": (errors.TooMany, "This token makes more than 50 requests a second."),
    "queue_full": (errors.QueueFull, "5,000 tasks or more wait in support-intents. Send it again later."),
    "unavailable": (errors.Unavailable, "The database cannot be reached. Nothing was changed; try again."),
    # What was sent
    "invalid": (Invalid, "The body does not have the expected shape."),
    "malformed_json": (Malformed, "The body is not JSON: Expecting value at column 12."),
    "invalid_utf8": (Malformed, "The body is not UTF-8: byte 17 cannot be read."),
    "too_deep": (Malformed, "The JSON is nested deeper than 64 levels, at character 812."),
    "bad_characters": (Malformed, "The text has characters that cannot be stored."),
    "bad_parameter": (Invalid, "limit must be a whole number from 1 to 1,000."),
    "bad_cursor": (Invalid, "The cursor is not one that this list gave. Start without it."),
    "bad_idempotency_key": (Invalid, "Idempotency-Key must be 1 to 255 printable ASCII characters."),
    "idempotency_key_reused": (Invalid, "This Idempotency-Key came with another body before."),
    "invalid_item": (Invalid, "The item does not fit the queue support-intents."),
    "unknown_queue": (Invalid, "The queue is not known."),
    "unknown_media": (Invalid, "The file is nothing that can be shown."),
    "refused_by_rule": (Invalid, "Refused by rule 2: Empty answers."),
    "invalid_decision": (Invalid, "The decision cannot be taken like this."),
    "bad_follow_up": (Invalid, "The follow-up must be at least a minute and at most a year away."),
    "cannot_take": (Invalid, "This person cannot have it: is nobody who may take this task."),
    "bad_configuration": (Invalid, "The configuration has faults."),
    # What stands against it
    "conflict": (Conflict, "Other requests do the same at this moment. Send it again."),
    "in_flight": (errors.InFlight, "A request with this Idempotency-Key is being answered. Try again in a moment."),
    "external_id_taken": (Conflict, "The queue has an item with external_id 'chat-1' and another body."),
    "intake_closed": (Conflict, "The queue support-intents takes no new items at the moment."),
    "lease_lost": (LeaseLost, "It went back to the queue: its time ran out, you handed it back, or a lead took it."),
    "not_yours": (LeaseLost, "You have skipped this task: it goes to somebody else."),
    "already_decided": (errors.AlreadyDecided, "You have decided this task already, differently."),
    "item_ended": (ItemEnded, "This item needs no decision any more. Your draft is kept."),
    "item_expired": (ItemEnded, "The time to answer was over before your decision came."),
    "item_cancelled": (ItemEnded, "Withdrawn by the program. Nothing needed."),
    "item_decided": (ItemEnded, "A person has decided: the answer comes when the time to undo it is over."),
    "item_open": (Conflict, "The item waits for a person already."),
    "nobody_else": (Conflict, "Everybody who reviews in this queue has decided this item."),
    "grace_over": (GraceOver, "The time to undo this decision is over."),
    "taken": (Conflict, "Somebody else took this task a moment ago."),
    "not_ended": (Conflict, "The item has no answer yet, so that nothing can have come of it."),
    "not_resolved": (Conflict, "Only what people have resolved can be gold: its answer is what they said."),
    "four_eyes": (
        Conflict,
        "You have judged this item already: somebody else is to do this. Your draft is kept.",
    ),
    "claim_race": (Conflict, "Several claims at the same moment. Try again."),
    "already_escalated": (Conflict, "This task is with the leads already: decide it, or skip it."),
    "no_lead": (Conflict, "The queue has no other lead who could take it: decide it, or skip it."),
    "version_conflict": (Conflict, "Version 8 is current, not 7: somebody applied another one."),
    "proposal_waits": (
        Conflict,
        "Another configuration that may lower review waits for a second person. Confirm or withdraw it first.",
    ),
    "proposal_over": (Conflict, "It was withdrawn already."),
    "yourself": (Conflict, "You stand behind it already. Another person must confirm it."),
    "wrong_queue": (Conflict, "The document is for the queue 'refunds', not 'support-intents'."),
    "export_finished": (Conflict, "The export is ready already."),
    "alert_settled": (Conflict, "It is over, or somebody was quicker. Look at the list again."),
    "export_not_ready": (Conflict, "The export is running: nothing can have been trained on it."),
    "export_not_failed": (Conflict, "The export is ready; only one that failed is tried again."),
    "too_many_endpoints": (Conflict, "The queue has 100 endpoints. Remove one first."),
    "endpoint_disabled": (Conflict, "The endpoint is disabled. Enable it first."),
    "delivery_pending": (
        Conflict,
        "An attempt is under way at this moment, until 2026-11-20T10:05:11.702Z at the latest.",
    ),
}
"""By code: the class that gives title and status, and what it might say."""

_FAULTS: Mapping[str, Fault] = {
    "invalid": Fault("/queue", "is required"),
    "bad_characters": Fault("/input/text", "has a NUL character (\\u0000): remove it"),
    "invalid_item": Fault("/output/label", '"lost" is not one of "card_arrival", "lost_card" or "refund"'),
    "unknown_queue": Fault("/queue", "is not the name of a queue that you may submit to"),
    "unknown_media": Fault("/file", "is no PNG, JPEG, GIF, WebP or PDF, whatever it is called"),
    "invalid_decision": Fault("/reason", "is required with reject"),
    "bad_follow_up": Fault("/until", "must be at least a minute and at most a year away"),
    "cannot_take": Fault("/person", "is nobody who may take this task"),
    "bad_configuration": Fault("/output_schema", "is required"),
}


@functools.cache
def example_of(code: str) -> dict[str, Any]:
    """A problem document with that code, as the class of its error makes it."""
    kind, message = KNOWN[code]
    error = kind(message, retry_after=5) if issubclass(kind, errors.TooMany) else kind(message)
    error.code = code
    if isinstance(error, Invalid) and code in _FAULTS:
        error.faults = [_FAULTS[code]]
    return http.problem_json(error)


def by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    """The codes by their status, both in order."""
    found: dict[int, list[str]] = {}
    for code in codes:
        found.setdefault(example_of(code)["status"], []).append(code)
    return dict(sorted(found.items()))


def shape_of(code: str) -> type[BaseModel]:
    return InvalidProblem if issubclass(KNOWN[code][0], Invalid) else Problem


def headers_of(code: str) -> tuple[str, ...]:
    """The headers that come with it."""
    kind = KNOWN[code][0]
    if issubclass(kind, errors.TooMany | errors.Unavailable):
        return ("Retry-After",)
    if issubclass(kind, http.RangeNotSatisfiable):
        return ("Content-Range",)
    return ("WWW-Authenticate",) if issubclass(kind, errors.Unauthenticated) else ()
