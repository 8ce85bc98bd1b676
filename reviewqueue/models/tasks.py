"""Units of human work: tasks with their claim, drafts, skips and decisions."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Ref, certain_reference, enumerated
from reviewqueue.models.states import Audience, TaskKind, TaskState, Verdict, Via


class Task(Base):
    """One judgement to be made. The claim is in the row: holder, fence and lease; its id is `<id>.<fence>`."""

    __tablename__ = "task"

    id: Mapped[Id]
    item_id: Mapped[Ref] = mapped_column(index=True)
    queue_id: Mapped[Ref]
    config_version: Mapped[int]
    """At claim: the newest version that the item satisfies."""
    round: Mapped[int]
    kind: Mapped[TaskKind] = mapped_column(enumerated(TaskKind, "task_kind"))
    state: Mapped[TaskState] = mapped_column(enumerated(TaskState, "task_state"))
    audience: Mapped[Audience] = mapped_column(enumerated(Audience, "audience"))
    priority: Mapped[int]
    """Higher is more urgent."""
    due: Mapped[Moment]
    available_at: Mapped[Moment]
    assignee: Mapped[Ref | None] = mapped_column(ForeignKey("person.id"))
    excluded: Mapped[Json] = mapped_column(default="[]")
    """JSON array of ids of people who have decided or skipped the item in this round."""
    lane: Mapped[str] = mapped_column(Text, default="")
    """`models.lanes`: audience, assignee and excluded people as one word. Claims look lane by lane, so that
    tasks a person may not take cost nothing to pass by."""
    holder: Mapped[Ref | None] = mapped_column(ForeignKey("person.id"))
    last_holder: Mapped[Ref | None]
    """Who held it before; tells whose late decision may still count as a label."""
    blind: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Drawn at claim: whoever judges it does not see what the AI said."""
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[Moment | None]
    seat: Mapped[int] = mapped_column(default=0, server_default="0")
    """Where its last holder has it: 0 at the desk, from 1 the rows of the grid."""
    escalated_by: Mapped[Ref | None]
    escalation_comment: Mapped[str | None] = mapped_column(Text)
    """What the person who handed it on wrote to the leads, or who reopened the item to whoever decides it next."""
    escalates_at: Mapped[Moment | None]
    """When it goes on from the leads, along the chain; NULL while it is not with them, or nobody is beyond."""
    sent_from: Mapped[Ref | None]
    """The queue from which somebody sent it to this one. The item stays in its own: its program knows it there."""
    stand_in: Mapped[Ref | None]
    """Of a check: the id under which its item is shown, for the real one would tell how old it is."""
    created_at: Mapped[Moment]

    __table_args__ = (
        certain_reference("item_id", "item.id"),
        certain_reference("queue_id", "queue.id"),
        CheckConstraint(
            "(state = 'claimed') = (holder IS NOT NULL) AND (state = 'claimed') = (lease_until IS NOT NULL)",
            name="claimed_has_holder",
        ),
        # The claim statement: the most urgent of one lane is the first entry.
        Index(
            "ix_task_open",
            "queue_id",
            "lane",
            text("priority DESC"),
            "due",
            "id",
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
        # At most one claim a person, queue and seat, also when two requests race.
        Index(
            "uq_task_held",
            "holder",
            "queue_id",
            "seat",
            unique=True,
            postgresql_where=text("state = 'claimed'"),
            sqlite_where=text("state = 'claimed'"),
        ),
        # The board: what waits, by when it is due, told from the index alone.
        Index(
            "ix_task_waiting",
            "queue_id",
            "due",
            "created_at",
            "audience",
            postgresql_where=text("state = 'open' AND kind <> 'gold'"),
            sqlite_where=text("state = 'open' AND kind <> 'gold'"),
        ),
        # What is to go on from the leads.
        Index(
            "ix_task_escalates_at",
            "escalates_at",
            postgresql_where=text("state = 'open' AND escalates_at IS NOT NULL"),
            sqlite_where=text("state = 'open' AND escalates_at IS NOT NULL"),
        ),
        # What a stand-in means.
        Index(
            "ix_task_stand_in",
            "stand_in",
            postgresql_where=text("stand_in IS NOT NULL"),
            sqlite_where=text("stand_in IS NOT NULL"),
        ),
        # What is somebody's own: put off by them, or assigned to them.
        Index(
            "ix_task_assignee",
            "assignee",
            postgresql_where=text("assignee IS NOT NULL AND state IN ('open', 'claimed')"),
            sqlite_where=text("assignee IS NOT NULL AND state IN ('open', 'claimed')"),
        ),
        # What somebody has escalated, or sent to another queue.
        Index(
            "ix_task_escalated_by",
            "escalated_by",
            "id",
            postgresql_where=text("escalated_by IS NOT NULL"),
            sqlite_where=text("escalated_by IS NOT NULL"),
        ),
        Index(
            "ix_task_lease_until",
            "lease_until",
            postgresql_where=text("state = 'claimed'"),
            sqlite_where=text("state = 'claimed'"),
        ),
    )


class Skip(Base):
    """ "Not me": that person never gets the task again."""

    __tablename__ = "skip"

    task_id: Mapped[Ref] = mapped_column(ForeignKey("task.id"))
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    comment: Mapped[str | None] = mapped_column(Text)
    """Why; for the leads."""
    created_at: Mapped[Moment]

    __table_args__ = (
        PrimaryKeyConstraint("task_id", "person_id"),
        # What somebody skipped a moment ago.
        Index("ix_skip_person_id_created_at", "person_id", "created_at"),
    )


class Draft(Base):
    """What a reviewer has typed and not decided; survives a lost lease."""

    __tablename__ = "draft"

    task_id: Mapped[Ref] = mapped_column(ForeignKey("task.id"))
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    body: Mapped[Json]
    """`{output, fields, reason, comment, message, seen, …}`: the form's state, as the desk or the API sent it."""
    updated_at: Mapped[Moment]

    __table_args__ = (PrimaryKeyConstraint("task_id", "person_id"), Index("ix_draft_person_id", "person_id"))


class Decision(Base):
    __tablename__ = "decision"

    id: Mapped[Id]
    task_id: Mapped[Ref] = mapped_column(ForeignKey("task.id"))
    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"), index=True)
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    round: Mapped[int]
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    fence: Mapped[int]
    config_version: Mapped[int]
    verdict: Mapped[Verdict] = mapped_column(enumerated(Verdict, "verdict"))
    output: Mapped[Json]
    """The final output; `null` for a rejection."""
    reason: Mapped[str | None] = mapped_column(String(100))
    suggested_label: Mapped[str | None] = mapped_column(Text)
    """With reason `no_label_fits`: what the label should have been."""
    comment: Mapped[str | None] = mapped_column(Text)
    """Stays inside."""
    message: Mapped[str | None] = mapped_column(Text)
    """Goes to the program."""
    spent_seconds: Mapped[float | None]
    seen: Mapped[Json | None]
    """JSON array of pointers to the parts that were looked at; NULL where the desk does not tell."""
    shown: Mapped[Json]
    """What the reviewer saw: `{config_version, blind}`."""
    via: Mapped[Via] = mapped_column(enumerated(Via, "via"))
    decided_at: Mapped[Moment]
    releases_at: Mapped[Moment]
    """End of the grace time; until then nobody outside sees the decision."""
    withdrawn_at: Mapped[Moment | None]
    late: Mapped[bool] = mapped_column(default=False)
    """Came after the item had expired: a label, never the resolution."""
    correct: Mapped[bool | None]
    """Of a gold task: whether it is the known answer."""

    __table_args__ = (
        # Promise 3: at most one standing decision a task, and one a person and round.
        Index(
            "uq_decision_standing_task",
            "task_id",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL AND NOT late"),
            sqlite_where=text("withdrawn_at IS NULL AND NOT late"),
        ),
        Index(
            "uq_decision_standing_person",
            "item_id",
            "round",
            "person_id",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL AND NOT late"),
            sqlite_where=text("withdrawn_at IS NULL AND NOT late"),
        ),
        # How people met the gold of a queue.
        Index(
            "ix_decision_gold",
            "queue_id",
            "person_id",
            "id",
            postgresql_where=text("correct IS NOT NULL"),
            sqlite_where=text("correct IS NOT NULL"),
        ),
        # How much was decided, and when; checks apart.
        Index(
            "ix_decision_made",
            "queue_id",
            "decided_at",
            postgresql_where=text("withdrawn_at IS NULL AND NOT late AND correct IS NULL"),
            sqlite_where=text("withdrawn_at IS NULL AND NOT late AND correct IS NULL"),
        ),
        # "My decisions", newest first.
        Index("ix_decision_person_id_id", "person_id", "id"),
    )


class Resolution(Base):
    """What an item ended with. Never edited; a later revision supersedes it."""

    __tablename__ = "resolution"

    id: Mapped[Id]
    item_id: Mapped[Ref] = mapped_column(ForeignKey("item.id"))
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"))
    revision: Mapped[int]
    by: Mapped[str] = mapped_column(String(24))
    verdict: Mapped[Verdict | None] = mapped_column(enumerated(Verdict, "resolution_verdict"))
    output: Mapped[Json]
    reason: Mapped[str | None] = mapped_column(String(100))
    message: Mapped[str | None] = mapped_column(Text)
    decision_id: Mapped[Ref | None] = mapped_column(ForeignKey("decision.id"))
    created_at: Mapped[Moment]
    position: Mapped[int | None]
    """Place in the queue's feed, numbered after the commit."""

    __table_args__ = (
        CheckConstraint("\"by\" IN ('routing', 'people', 'default', 'duplicate', 'cancelled')", name="by"),
        Index("uq_resolution_item_id_revision", "item_id", "revision", unique=True),
        Index("uq_resolution_queue_id_position", "queue_id", "position", unique=True),
        # What the feed has yet to number.
        Index(
            "ix_resolution_unnumbered",
            "id",
            postgresql_where=text("position IS NULL"),
            sqlite_where=text("position IS NULL"),
        ),
    )


class PendingRelease(Base):
    """A decision in its grace time, waiting to become a resolution; deleted with either outcome."""

    __tablename__ = "pending_release"

    decision_id: Mapped[Ref] = mapped_column(ForeignKey("decision.id"), primary_key=True)
    releases_at: Mapped[Moment] = mapped_column(index=True)
