"""Words that come from states and tables and are shown to people, marked for the catalogues. Pure.

`{{ state | spoken }}` gives one in the reader's language; what is not listed here stays as it is.
"""

from __future__ import annotations


def word(text: str) -> str:
    """`text`, as `make messages` sees it."""
    return text


# fmt: off
WORDS = frozenset((
    # states, verdicts, roles and ways, as they are kept
    word("preparing"), word("queued"), word("in_review"), word("auto_approved"), word("resolved"), word("expired"),
    word("cancelled"), word("stop"), word("hold"), word("review"), word("adjudication"), word("audit"), word("gold"),
    word("appeal"), word("reviewer"), word("lead"), word("approve"), word("edit"), word("override"), word("reject"),
    word("waiting"), word("ready"), word("failed"), word("routing"), word("people"), word("default"),
    word("duplicate"), word("low"), word("medium"), word("high"), word("auto approve"), word("refuse"), word("open"),
    word("closed"), word("admin"), word("auditor"), word("member"), word("analyst"), word("calibrating"),
    word("reviewing"), word("paused"), word("pending"), word("running"), word("receiving"), word("done"),
    word("delivered"), word("dead"), word("preview"), word("skipped"), word("password"), word("provider"),
    # the same as titles
    word("Preparing"), word("Queued"), word("In review"), word("Auto approved"), word("Resolved"), word("Expired"),
    word("Cancelled"), word("Approve"), word("Edit"), word("Override"), word("Reject"),
    # what a worker does
    word("idle"), word("busy"), word("started"), word("suspended"),
    # errors
    word("A decision stands already"), word("A part that this needs is not reachable"),
    word("Credentials are needed"), word("Send JSON"), word("Something went wrong"),
    word("The body is not acceptable JSON"), word("The body is too large"), word("The claim is no longer yours"),
    word("The current state does not allow this"), word("The decision can no longer be withdrawn"),
    word("The item needs no decision any more"), word("The request cannot be understood"),
    word("The request is not valid"), word("The same request is still being answered"), word("There is nothing here"),
    word("This address does not take that method"), word("Too many requests"), word("Too much waits in the queue"),
    word("You get no work here now"), word("You may not do this"),
))
# fmt: on
