"""Add whom a provider means by its subjects, states that came back, and what sessions know of the provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sso_identity",
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("person_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_sso_identity_person_id")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_sso_identity")),
        sa.UniqueConstraint("person_id", "issuer", name=op.f("uq_sso_identity_person_id_issuer")),
    )
    op.create_table(
        "spent_state",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_spent_state")),
    )
    op.add_column("web_session", sa.Column("id_token", sa.Text(), nullable=True))
    op.add_column(
        "web_session", sa.Column("factor_elsewhere", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("half_login", sa.Column("id_token", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("half_login", "id_token")
    op.drop_column("web_session", "factor_elsewhere")
    op.drop_column("web_session", "id_token")
    op.drop_table("spent_state")
    op.drop_table("sso_identity")
