"""Create the foundation: every table, and triggers that keep the audit log from being changed.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

SEALED = ("audit_event", "audit_seal")
"""Tables to which rows are only ever added."""


def _forbid_changes(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"""
            CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{table} is append-only'; END $$
        """)
        op.execute(f"""
            CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()
        """)
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(f"""
            CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
        """)


def _allow_changes(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        op.execute(f"DROP FUNCTION {table}_is_append_only()")
        return
    for change in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{change}")


def upgrade() -> None:
    op.create_table('audit_event',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('action', sa.String(length=60), nullable=False),
    sa.Column('actor_kind', sa.Enum('person', 'service', 'operator', 'system', name='actor_kind', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('actor', sa.String(length=64), nullable=False),
    sa.Column('via', sa.Enum('web', 'api', 'cli', 'system', name='event_via', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('item_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('subject', sa.String(length=64), nullable=True),
    sa.Column('facts', sa.Text(), nullable=False),
    sa.Column('content_sha256', sa.String(length=64), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_event'))
    )
    with op.batch_alter_table('audit_event', schema=None) as batch_op:
        batch_op.create_index('ix_audit_event_item_id_id', ['item_id', 'id'], unique=False)
        batch_op.create_index('ix_audit_event_queue_id_id', ['queue_id', 'id'], unique=False)

    op.create_table('idempotency_key',
    sa.Column('token_id', sa.String(length=16), nullable=False),
    sa.Column('route', sa.String(length=100), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('body_sha256', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('token_id', 'route', 'key', name=op.f('pk_idempotency_key'))
    )
    with op.batch_alter_table('idempotency_key', schema=None) as batch_op:
        batch_op.create_index('ix_idempotency_key_created_at', ['created_at'], unique=False)

    op.create_table('login_throttle',
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('last_failed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('blocked_until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_login_throttle'))
    )
    op.create_table('outbox',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('topic', sa.String(length=60), nullable=False),
    sa.Column('rq_queue', sa.String(length=80), nullable=False),
    sa.Column('ref', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('dispatched_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('leased_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease', sa.String(length=36), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('failed_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox'))
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index('ix_outbox_due', ['rq_queue', 'next_at', 'id'], unique=False, postgresql_where=sa.text('failed_at IS NULL'), sqlite_where=sa.text('failed_at IS NULL'))

    op.create_table('person',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('password_hash', sa.String(length=255), nullable=False),
    sa.Column('role', sa.Enum('admin', 'auditor', 'member', name='site_role', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('pseudonym', sa.String(length=32), nullable=False),
    sa.Column('must_change_password', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person')),
    sa.UniqueConstraint('pseudonym', name=op.f('uq_person_pseudonym'))
    )
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.create_index('uq_person_email_lower', [sa.literal_column('lower(email)')], unique=True)

    op.create_table('queue',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('slug', sa.String(length=63), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('intake', sa.Enum('open', 'closed', name='intake', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_queue')),
    sa.UniqueConstraint('slug', name=op.f('uq_queue_slug'))
    )
    op.create_table('relay_lease',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('holder', sa.String(length=120), nullable=False),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('beat_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_relay_lease'))
    )
    op.create_table('audit_content',
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('salt', sa.String(length=32), nullable=False),
    sa.Column('payload', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['event_id'], ['audit_event.id'], name=op.f('fk_audit_content_event_id')),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_audit_content'))
    )
    op.create_table('audit_seal',
    sa.Column('sequence', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('event_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('hash', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['event_id'], ['audit_event.id'], name=op.f('fk_audit_seal_event_id')),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_audit_seal')),
    sa.UniqueConstraint('event_id', name=op.f('uq_audit_seal_event_id'))
    )
    op.create_table('dataset_version',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('format', sa.String(length=200), nullable=False),
    sa.Column('filter', sa.Text(), nullable=False),
    sa.Column('state', sa.Enum('pending', 'running', 'ready', 'failed', 'cancelled', name='export_state', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('requested_by', sa.String(length=300), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('as_of', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rows_expected', sa.Integer(), nullable=True),
    sa.Column('rows_done', sa.Integer(), nullable=False),
    sa.Column('manifest', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_dataset_version_queue_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dataset_version'))
    )
    with op.batch_alter_table('dataset_version', schema=None) as batch_op:
        batch_op.create_index('uq_dataset_version_queue_id_number', ['queue_id', 'number'], unique=True)

    op.create_table('item',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('config_version', sa.Integer(), nullable=False),
    sa.Column('state', sa.Enum('preparing', 'queued', 'in_review', 'auto_approved', 'resolved', 'expired', 'cancelled', name='item_state', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('external_id', sa.String(length=500), nullable=True),
    sa.Column('body_sha256', sa.String(length=64), nullable=False),
    sa.Column('input', sa.Text(), nullable=False),
    sa.Column('output', sa.Text(), nullable=False),
    sa.Column('failure', sa.Text(), nullable=True),
    sa.Column('confidence', sa.Double(), nullable=True),
    sa.Column('risk', sa.Enum('low', 'medium', 'high', name='risk', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('model', sa.String(length=200), nullable=True),
    sa.Column('model_version', sa.String(length=200), nullable=True),
    sa.Column('prompt_version', sa.String(length=200), nullable=True),
    sa.Column('subject', sa.String(length=500), nullable=True),
    sa.Column('parts', sa.Text(), nullable=True),
    sa.Column('alternatives', sa.Text(), nullable=True),
    sa.Column('explanation', sa.Text(), nullable=True),
    sa.Column('trace_url', sa.String(length=2000), nullable=True),
    sa.Column('cost', sa.Double(), nullable=True),
    sa.Column('latency_ms', sa.Double(), nullable=True),
    sa.Column('metadata', sa.Text(), nullable=False),
    sa.Column('test', sa.Boolean(), nullable=False),
    sa.Column('supersedes', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('rule', sa.Integer(), nullable=True),
    sa.Column('rule_title', sa.String(length=300), nullable=False),
    sa.Column('action', sa.Enum('review', 'auto_approve', 'refuse', name='routing_action', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('audit_sample', sa.Boolean(), nullable=False),
    sa.Column('probability', sa.Double(), nullable=False),
    sa.Column('similar_key', sa.String(length=64), nullable=True),
    sa.Column('submitted_by', sa.String(length=300), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('confidence >= 0 AND confidence <= 1', name=op.f('ck_item_confidence')),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_item_queue_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_item')),
    sa.UniqueConstraint('queue_id', 'external_id', name=op.f('uq_item_queue_id_external_id'))
    )
    with op.batch_alter_table('item', schema=None) as batch_op:
        batch_op.create_index('ix_item_expires_at', ['expires_at'], unique=False, postgresql_where=sa.text("state IN ('queued', 'in_review') AND expires_at IS NOT NULL"), sqlite_where=sa.text("state IN ('queued', 'in_review') AND expires_at IS NOT NULL"))
        batch_op.create_index('ix_item_queue_id_id', ['queue_id', 'id'], unique=False)
        batch_op.create_index('ix_item_queue_id_similar_key', ['queue_id', 'similar_key'], unique=False)
        batch_op.create_index('ix_item_queue_id_state_id', ['queue_id', 'state', 'id'], unique=False)

    op.create_table('membership',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('person_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('role', sa.Enum('reviewer', 'lead', 'analyst', name='queue_role', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_membership_person_id')),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_membership_queue_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_membership')),
    sa.UniqueConstraint('person_id', 'queue_id', 'role', name=op.f('uq_membership_person_id_queue_id_role'))
    )
    with op.batch_alter_table('membership', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_membership_queue_id'), ['queue_id'], unique=False)

    op.create_table('queue_version',
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('applied_by', sa.String(length=300), nullable=False),
    sa.Column('applied_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_queue_version_queue_id')),
    sa.PrimaryKeyConstraint('queue_id', 'version', name=op.f('pk_queue_version'))
    )
    op.create_table('token',
    sa.Column('id', sa.String(length=16), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('secret_sha256', sa.String(length=64), nullable=False),
    sa.Column('person_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('scopes', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_token_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_token'))
    )
    with op.batch_alter_table('token', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_token_person_id'), ['person_id'], unique=False)

    op.create_table('web_session',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('person_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('user_agent', sa.String(length=300), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rotate', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_web_session_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_web_session'))
    )
    with op.batch_alter_table('web_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_web_session_person_id'), ['person_id'], unique=False)

    op.create_table('dataset_shard',
    sa.Column('export_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('after_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('upto_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('state', sa.Enum('pending', 'running', 'ready', 'failed', 'cancelled', name='shard_state', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('rows_done', sa.Integer(), nullable=False),
    sa.Column('file', sa.String(length=200), nullable=True),
    sa.Column('bytes', sa.BigInteger(), nullable=True),
    sa.Column('sha256', sa.String(length=64), nullable=True),
    sa.ForeignKeyConstraint(['export_id'], ['dataset_version.id'], name=op.f('fk_dataset_shard_export_id')),
    sa.PrimaryKeyConstraint('export_id', 'number', name=op.f('pk_dataset_shard'))
    )
    with op.batch_alter_table('dataset_shard', schema=None) as batch_op:
        batch_op.create_index('uq_dataset_shard_id', ['id'], unique=True)

    op.create_table('task',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('item_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('config_version', sa.Integer(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('review', 'adjudication', 'audit', 'gold', 'appeal', name='task_kind', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('state', sa.Enum('open', 'claimed', 'done', 'cancelled', name='task_state', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('audience', sa.Enum('reviewer', 'lead', name='audience', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=False),
    sa.Column('available_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('assignee', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('excluded', sa.Text(), nullable=False),
    sa.Column('lane', sa.Text(), nullable=False),
    sa.Column('holder', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('last_holder', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('escalated_by', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('escalation_comment', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(state = 'claimed') = (holder IS NOT NULL) AND (state = 'claimed') = (lease_until IS NOT NULL)", name=op.f('ck_task_claimed_has_holder')),
    sa.ForeignKeyConstraint(['assignee'], ['person.id'], name=op.f('fk_task_assignee')),
    sa.ForeignKeyConstraint(['holder'], ['person.id'], name=op.f('fk_task_holder')),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_task_item_id')),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_task_queue_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_task'))
    )
    with op.batch_alter_table('task', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_task_item_id'), ['item_id'], unique=False)
        batch_op.create_index('ix_task_lease_until', ['lease_until'], unique=False, postgresql_where=sa.text("state = 'claimed'"), sqlite_where=sa.text("state = 'claimed'"))
        batch_op.create_index('ix_task_open', ['queue_id', 'lane', sa.literal_column('priority DESC'), 'due', 'id'], unique=False, postgresql_where=sa.text("state = 'open'"), sqlite_where=sa.text("state = 'open'"))
        batch_op.create_index('uq_task_held', ['holder', 'queue_id'], unique=True, postgresql_where=sa.text("state = 'claimed'"), sqlite_where=sa.text("state = 'claimed'"))

    op.create_table('token_queue',
    sa.Column('token_id', sa.String(length=16), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_token_queue_queue_id')),
    sa.ForeignKeyConstraint(['token_id'], ['token.id'], name=op.f('fk_token_queue_token_id')),
    sa.PrimaryKeyConstraint('token_id', 'queue_id', name=op.f('pk_token_queue'))
    )
    op.create_table('decision',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('task_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('item_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('config_version', sa.Integer(), nullable=False),
    sa.Column('verdict', sa.Enum('approve', 'edit', 'override', 'reject', name='verdict', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('output', sa.Text(), nullable=False),
    sa.Column('reason', sa.String(length=100), nullable=True),
    sa.Column('suggested_label', sa.Text(), nullable=True),
    sa.Column('comment', sa.Text(), nullable=True),
    sa.Column('message', sa.Text(), nullable=True),
    sa.Column('spent_seconds', sa.Double(), nullable=True),
    sa.Column('seen', sa.Text(), nullable=True),
    sa.Column('shown', sa.Text(), nullable=False),
    sa.Column('via', sa.Enum('web', 'api', 'cli', 'system', name='via', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('releases_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('late', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_decision_item_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_decision_person_id')),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_decision_queue_id')),
    sa.ForeignKeyConstraint(['task_id'], ['task.id'], name=op.f('fk_decision_task_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_decision'))
    )
    with op.batch_alter_table('decision', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_decision_item_id'), ['item_id'], unique=False)
        batch_op.create_index('ix_decision_person_id_id', ['person_id', 'id'], unique=False)
        batch_op.create_index('uq_decision_standing_person', ['item_id', 'round', 'person_id'], unique=True, postgresql_where=sa.text('withdrawn_at IS NULL AND NOT late'), sqlite_where=sa.text('withdrawn_at IS NULL AND NOT late'))
        batch_op.create_index('uq_decision_standing_task', ['task_id'], unique=True, postgresql_where=sa.text('withdrawn_at IS NULL AND NOT late'), sqlite_where=sa.text('withdrawn_at IS NULL AND NOT late'))

    op.create_table('draft',
    sa.Column('task_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('person_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_draft_person_id')),
    sa.ForeignKeyConstraint(['task_id'], ['task.id'], name=op.f('fk_draft_task_id')),
    sa.PrimaryKeyConstraint('task_id', 'person_id', name=op.f('pk_draft'))
    )
    with op.batch_alter_table('draft', schema=None) as batch_op:
        batch_op.create_index('ix_draft_person_id', ['person_id'], unique=False)

    op.create_table('skip',
    sa.Column('task_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('person_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_skip_person_id')),
    sa.ForeignKeyConstraint(['task_id'], ['task.id'], name=op.f('fk_skip_task_id')),
    sa.PrimaryKeyConstraint('task_id', 'person_id', name=op.f('pk_skip'))
    )
    op.create_table('pending_release',
    sa.Column('decision_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('releases_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['decision_id'], ['decision.id'], name=op.f('fk_pending_release_decision_id')),
    sa.PrimaryKeyConstraint('decision_id', name=op.f('pk_pending_release'))
    )
    with op.batch_alter_table('pending_release', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_pending_release_releases_at'), ['releases_at'], unique=False)

    op.create_table('resolution',
    sa.Column('id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('item_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('queue_id', sa.Uuid(as_uuid=False), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('by', sa.String(length=24), nullable=False),
    sa.Column('verdict', sa.Enum('approve', 'edit', 'override', 'reject', name='resolution_verdict', native_enum=False, create_constraint=True, length=24), nullable=True),
    sa.Column('output', sa.Text(), nullable=False),
    sa.Column('reason', sa.String(length=100), nullable=True),
    sa.Column('message', sa.Text(), nullable=True),
    sa.Column('decision_id', sa.Uuid(as_uuid=False), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('position', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['decision_id'], ['decision.id'], name=op.f('fk_resolution_decision_id')),
    sa.ForeignKeyConstraint(['item_id'], ['item.id'], name=op.f('fk_resolution_item_id')),
    sa.ForeignKeyConstraint(['queue_id'], ['queue.id'], name=op.f('fk_resolution_queue_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_resolution'))
    )
    with op.batch_alter_table('resolution', schema=None) as batch_op:
        batch_op.create_index('uq_resolution_item_id_revision', ['item_id', 'revision'], unique=True)
        batch_op.create_index('uq_resolution_queue_id_position', ['queue_id', 'position'], unique=True)

    for table in SEALED:
        _forbid_changes(table)


def downgrade() -> None:
    for table in SEALED:
        _allow_changes(table)
    with op.batch_alter_table('resolution', schema=None) as batch_op:
        batch_op.drop_index('uq_resolution_queue_id_position')
        batch_op.drop_index('uq_resolution_item_id_revision')

    op.drop_table('resolution')
    with op.batch_alter_table('pending_release', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_pending_release_releases_at'))

    op.drop_table('pending_release')
    op.drop_table('skip')
    with op.batch_alter_table('draft', schema=None) as batch_op:
        batch_op.drop_index('ix_draft_person_id')

    op.drop_table('draft')
    with op.batch_alter_table('decision', schema=None) as batch_op:
        batch_op.drop_index('uq_decision_standing_task', postgresql_where=sa.text('withdrawn_at IS NULL AND NOT late'), sqlite_where=sa.text('withdrawn_at IS NULL AND NOT late'))
        batch_op.drop_index('uq_decision_standing_person', postgresql_where=sa.text('withdrawn_at IS NULL AND NOT late'), sqlite_where=sa.text('withdrawn_at IS NULL AND NOT late'))
        batch_op.drop_index('ix_decision_person_id_id')
        batch_op.drop_index(batch_op.f('ix_decision_item_id'))

    op.drop_table('decision')
    op.drop_table('token_queue')
    with op.batch_alter_table('task', schema=None) as batch_op:
        batch_op.drop_index('uq_task_held', postgresql_where=sa.text("state = 'claimed'"), sqlite_where=sa.text("state = 'claimed'"))
        batch_op.drop_index('ix_task_open', postgresql_where=sa.text("state = 'open'"), sqlite_where=sa.text("state = 'open'"))
        batch_op.drop_index('ix_task_lease_until', postgresql_where=sa.text("state = 'claimed'"), sqlite_where=sa.text("state = 'claimed'"))
        batch_op.drop_index(batch_op.f('ix_task_item_id'))

    op.drop_table('task')
    with op.batch_alter_table('dataset_shard', schema=None) as batch_op:
        batch_op.drop_index('uq_dataset_shard_id')

    op.drop_table('dataset_shard')
    with op.batch_alter_table('web_session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_web_session_person_id'))

    op.drop_table('web_session')
    with op.batch_alter_table('token', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_token_person_id'))

    op.drop_table('token')
    op.drop_table('queue_version')
    with op.batch_alter_table('membership', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_membership_queue_id'))

    op.drop_table('membership')
    with op.batch_alter_table('item', schema=None) as batch_op:
        batch_op.drop_index('ix_item_queue_id_state_id')
        batch_op.drop_index('ix_item_queue_id_similar_key')
        batch_op.drop_index('ix_item_queue_id_id')
        batch_op.drop_index('ix_item_expires_at', postgresql_where=sa.text("state IN ('queued', 'in_review') AND expires_at IS NOT NULL"), sqlite_where=sa.text("state IN ('queued', 'in_review') AND expires_at IS NOT NULL"))

    op.drop_table('item')
    with op.batch_alter_table('dataset_version', schema=None) as batch_op:
        batch_op.drop_index('uq_dataset_version_queue_id_number')

    op.drop_table('dataset_version')
    op.drop_table('audit_seal')
    op.drop_table('audit_content')
    op.drop_table('relay_lease')
    op.drop_table('queue')
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.drop_index('uq_person_email_lower')

    op.drop_table('person')
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_index('ix_outbox_due', postgresql_where=sa.text('failed_at IS NULL'), sqlite_where=sa.text('failed_at IS NULL'))

    op.drop_table('outbox')
    op.drop_table('login_throttle')
    with op.batch_alter_table('idempotency_key', schema=None) as batch_op:
        batch_op.drop_index('ix_idempotency_key_created_at')

    op.drop_table('idempotency_key')
    with op.batch_alter_table('audit_event', schema=None) as batch_op:
        batch_op.drop_index('ix_audit_event_queue_id_id')
        batch_op.drop_index('ix_audit_event_item_id_id')

    op.drop_table('audit_event')
