"""HTML routes before a claim: home, what is mine, a queue."""

from __future__ import annotations

from flask import render_template

from reviewqueue.core.db import database_now, read_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.core.pages import midnight
from reviewqueue.queues.catalog import configuration, find_queue
from reviewqueue.review import assigning, grid, histories, sitting, workpiece
from reviewqueue.review.web.filters import blueprint


@blueprint.get("/")
@signed_in
def home() -> str:
    with read_session() as session:
        cards = workpiece.home(session=session, actor=actor())
        undo = histories.last_undoable(session=session, actor=actor())
        own = assigning.own(session=session, actor=actor())
    return render_template("review/home.html", cards=cards, undo=undo, own=own)


@blueprint.get("/tasks")
@signed_in
def tasks() -> str:
    """What is mine: in my hands, assigned to me, put off."""
    with read_session() as session:
        mine = assigning.my_tasks(session=session, actor=actor())
    return render_template("review/tasks.html", tasks=mine)


@blueprint.get("/queues/<slug>")
@signed_in
def queue(slug: str) -> str:
    """A queue as its reviewers see it before they start, or once nothing waits."""
    who = actor()
    with read_session() as session:
        head = find_queue(session=session, actor=who, slug=slug)
        config = configuration(session, head.id, head.version).config
        cards = workpiece.home(session=session, actor=who)
        undo = histories.last_undoable(session=session, actor=who)
        card = next((card for card in cards if card.slug == slug), None)
        done = None
        if card is not None and not card.waiting and not card.held:
            done = sitting.ended(
                session=session, actor=who, queue_id=head.id, slug=slug, since=midnight(database_now(session))
            )
    others = [card for card in cards if card.slug != slug and card.waiting]
    return render_template(
        "review/queue.html", queue=head, config=config, card=card, others=others, undo=undo, done=done,
        has_grid=grid.suits(config),
    )  # fmt: skip
