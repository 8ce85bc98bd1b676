"""Create the foundation: accounts, queues, items, tasks, decisions, resolutions, outbox, audit, dataset versions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Uuid(as_uuid=False)
MOMENT = sa.DateTime(timezone=True)
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

IMMUTABLE = ("audit_event", "audit_seal")


def one_of(name: str, *values: str) -> sa.Enum:
    """Text with a CHECK that only `values` pass."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def where(condition: str) -> dict[str, Any]:
    """A partial index, on both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("actor_kind", one_of("actor_kind", "person", "service", "operator", "system"), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("via", one_of("event_via", "web", "api", "cli", "system"), nullable=False),
        sa.Column("queue_id", ID, nullable=True),
        sa.Column("item_id", ID, nullable=True),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index("ix_audit_event_item_id_id", "audit_event", ["item_id", "id"])
    op.create_index("ix_audit_event_queue_id_id", "audit_event", ["queue_id", "id"])
    op.create_table(
        "idempotency_key",
        sa.Column("token_id", sa.String(length=16), nullable=False),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_id", "route", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index("ix_idempotency_key_created_at", "idempotency_key", ["created_at"])
    op.create_table(
        "login_throttle",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", MOMENT, nullable=False),
        sa.Column("blocked_until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_throttle")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("rq_queue", sa.String(length=80), nullable=False),
        sa.Column("ref", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("dispatched_at", MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("lease", sa.String(length=36), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_due", "outbox", ["rq_queue", "next_at", "id"], **where("failed_at IS NULL"))
    op.create_table(
        "person",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", one_of("site_role", "admin", "auditor", "member"), nullable=False),
        sa.Column("pseudonym", sa.String(length=32), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_person_pseudonym")),
    )
    op.create_index("uq_person_email_lower", "person", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "queue",
        sa.Column("id", ID, nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("intake", one_of("intake", "open", "closed"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("archived_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue")),
        sa.UniqueConstraint("slug", name=op.f("uq_queue_slug")),
    )
    op.create_table(
        "relay_lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.Column("beat_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relay_lease")),
    )
    op.create_table(
        "audit_content",
        sa.Column("event_id", ID, nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name=op.f("fk_audit_content_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_content")),
    )
    op.create_table(
        "audit_seal",
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name=op.f("fk_audit_seal_event_id")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_seal_event_id")),
    )
    op.create_table(
        "dataset_version",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=200), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column(
            "state", one_of("export_state", "pending", "running", "ready", "failed", "cancelled"), nullable=False
        ),
        sa.Column("requested_by", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("rows_expected", sa.Integer(), nullable=True),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_dataset_version_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_version")),
    )
    op.create_index("uq_dataset_version_queue_id_number", "dataset_version", ["queue_id", "number"], unique=True)
    op.create_table(
        "item",
        sa.Column("id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            one_of(
                "item_state", "preparing", "queued", "in_review", "auto_approved", "resolved", "expired", "cancelled"
            ),
            nullable=False,
        ),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.String(length=500), nullable=True),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("risk", one_of("risk", "low", "medium", "high"), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("model_version", sa.String(length=200), nullable=True),
        sa.Column("prompt_version", sa.String(length=200), nullable=True),
        sa.Column("subject", sa.String(length=500), nullable=True),
        sa.Column("parts", sa.Text(), nullable=True),
        sa.Column("alternatives", sa.Text(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("trace_url", sa.String(length=2000), nullable=True),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("latency_ms", sa.Double(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("supersedes", ID, nullable=True),
        sa.Column("rule", sa.Integer(), nullable=True),
        sa.Column("rule_title", sa.String(length=300), nullable=False),
        sa.Column("action", one_of("routing_action", "review", "auto_approve", "refuse"), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("audit_sample", sa.Boolean(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("similar_key", sa.String(length=64), nullable=True),
        sa.Column("submitted_by", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name=op.f("ck_item_confidence")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_item_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item")),
        sa.UniqueConstraint("queue_id", "external_id", name=op.f("uq_item_queue_id_external_id")),
    )
    op.create_index(
        "ix_item_expires_at",
        "item",
        ["expires_at"],
        **where("state IN ('queued', 'in_review') AND expires_at IS NOT NULL"),
    )
    op.create_index("ix_item_queue_id_id", "item", ["queue_id", "id"])
    op.create_index("ix_item_queue_id_similar_key", "item", ["queue_id", "similar_key"])
    op.create_index("ix_item_queue_id_state_id", "item", ["queue_id", "state", "id"])
    op.create_table(
        "membership",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("role", one_of("queue_role", "reviewer", "lead", "analyst"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_membership_person_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_membership_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("person_id", "queue_id", "role", name=op.f("uq_membership_person_id_queue_id_role")),
    )
    op.create_index(op.f("ix_membership_queue_id"), "membership", ["queue_id"])
    op.create_table(
        "queue_version",
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("applied_by", sa.String(length=300), nullable=False),
        sa.Column("applied_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_queue_version_queue_id")),
        sa.PrimaryKeyConstraint("queue_id", "version", name=op.f("pk_queue_version")),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", ID, nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_token_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
    )
    op.create_index(op.f("ix_token_person_id"), "token", ["person_id"])
    op.create_table(
        "web_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("rotate", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_web_session_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
    )
    op.create_index(op.f("ix_web_session_person_id"), "web_session", ["person_id"])
    op.create_table(
        "dataset_shard",
        sa.Column("export_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("after_id", ID, nullable=True),
        sa.Column("upto_id", ID, nullable=True),
        sa.Column("state", one_of("shard_state", "pending", "running", "ready", "failed", "cancelled"), nullable=False),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["export_id"], ["dataset_version.id"], name=op.f("fk_dataset_shard_export_id")),
        sa.PrimaryKeyConstraint("export_id", "number", name=op.f("pk_dataset_shard")),
    )
    op.create_index("uq_dataset_shard_id", "dataset_shard", ["id"], unique=True)
    op.create_table(
        "task",
        sa.Column("id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("kind", one_of("task_kind", "review", "adjudication", "audit", "gold", "appeal"), nullable=False),
        sa.Column("state", one_of("task_state", "open", "claimed", "done", "cancelled"), nullable=False),
        sa.Column("audience", one_of("audience", "reviewer", "lead"), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due", MOMENT, nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.Column("assignee", ID, nullable=True),
        sa.Column("excluded", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("holder", ID, nullable=True),
        sa.Column("last_holder", ID, nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("escalated_by", ID, nullable=True),
        sa.Column("escalation_comment", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(state = 'claimed') = (holder IS NOT NULL) AND (state = 'claimed') = (lease_until IS NOT NULL)",
            name=op.f("ck_task_claimed_has_holder"),
        ),
        sa.ForeignKeyConstraint(["assignee"], ["person.id"], name=op.f("fk_task_assignee")),
        sa.ForeignKeyConstraint(["holder"], ["person.id"], name=op.f("fk_task_holder")),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_task_item_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_task_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index(op.f("ix_task_item_id"), "task", ["item_id"])
    op.create_index("ix_task_lease_until", "task", ["lease_until"], **where("state = 'claimed'"))
    op.create_index(
        "ix_task_open",
        "task",
        ["queue_id", "lane", sa.literal_column("priority DESC"), "due", "id"],
        **where("state = 'open'"),
    )
    op.create_index("uq_task_held", "task", ["holder", "queue_id"], unique=True, **where("state = 'claimed'"))
    op.create_table(
        "token_queue",
        sa.Column("token_id", sa.String(length=16), nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_token_queue_queue_id")),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name=op.f("fk_token_queue_token_id")),
        sa.PrimaryKeyConstraint("token_id", "queue_id", name=op.f("pk_token_queue")),
    )
    op.create_table(
        "decision",
        sa.Column("id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column("verdict", one_of("verdict", "approve", "edit", "override", "reject"), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=True),
        sa.Column("suggested_label", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("spent_seconds", sa.Double(), nullable=True),
        sa.Column("seen", sa.Text(), nullable=True),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("via", one_of("via", "web", "api", "cli", "system"), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("releases_at", MOMENT, nullable=False),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_decision_item_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_decision_person_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_decision_queue_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_decision_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(op.f("ix_decision_item_id"), "decision", ["item_id"])
    op.create_index("ix_decision_person_id_id", "decision", ["person_id", "id"])
    op.create_index(
        "uq_decision_standing_person",
        "decision",
        ["item_id", "round", "person_id"],
        unique=True,
        **where("withdrawn_at IS NULL AND NOT late"),
    )
    op.create_index(
        "uq_decision_standing_task", "decision", ["task_id"], unique=True, **where("withdrawn_at IS NULL AND NOT late")
    )
    op.create_table(
        "draft",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_draft_person_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_draft_task_id")),
        sa.PrimaryKeyConstraint("task_id", "person_id", name=op.f("pk_draft")),
    )
    op.create_index("ix_draft_person_id", "draft", ["person_id"])
    op.create_table(
        "skip",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_skip_person_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_skip_task_id")),
        sa.PrimaryKeyConstraint("task_id", "person_id", name=op.f("pk_skip")),
    )
    op.create_table(
        "pending_release",
        sa.Column("decision_id", ID, nullable=False),
        sa.Column("releases_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_pending_release_decision_id")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_pending_release")),
    )
    op.create_index(op.f("ix_pending_release_releases_at"), "pending_release", ["releases_at"])
    op.create_table(
        "resolution",
        sa.Column("id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("queue_id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=24), nullable=False),
        sa.Column("verdict", one_of("resolution_verdict", "approve", "edit", "override", "reject"), nullable=True),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("decision_id", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "\"by\" IN ('routing', 'people', 'default', 'duplicate', 'cancelled')", name=op.f("ck_resolution_by")
        ),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_resolution_decision_id")),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_resolution_item_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_resolution_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resolution")),
    )
    op.create_index("uq_resolution_item_id_revision", "resolution", ["item_id", "revision"], unique=True)
    op.create_index("uq_resolution_queue_id_position", "resolution", ["queue_id", "position"], unique=True)
    forbid_changes()


def downgrade() -> None:
    op.drop_table("resolution")
    op.drop_table("pending_release")
    op.drop_table("skip")
    op.drop_table("draft")
    op.drop_table("decision")
    op.drop_table("token_queue")
    op.drop_table("task")
    op.drop_table("dataset_shard")
    op.drop_table("web_session")
    op.drop_table("token")
    op.drop_table("queue_version")
    op.drop_table("membership")
    op.drop_table("item")
    op.drop_table("dataset_version")
    op.drop_table("audit_seal")
    op.drop_table("audit_content")
    op.drop_table("relay_lease")
    op.drop_table("queue")
    op.drop_table("person")
    op.drop_table("outbox")
    op.drop_table("login_throttle")
    op.drop_table("idempotency_key")
    op.drop_table("audit_event")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def forbid_changes() -> None:
    """Nobody edits the audit log, whoever holds the connection. On PostgreSQL TRUNCATE needs its own trigger."""
    if op.get_bind().dialect.name == "sqlite":
        for table in IMMUTABLE:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in IMMUTABLE:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
