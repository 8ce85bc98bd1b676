"""Add what people set for themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

IMAGES = sa.Enum("shown", "grey", "hidden", name="images", native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    op.create_table(
        "preference",
        sa.Column("person_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("images", IMAGES, nullable=False),
        sa.Column("covers_warned", sa.Boolean(), nullable=False),
        sa.Column("break_minutes", sa.Integer(), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("style", sa.String(length=8), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_preference_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_preference")),
    )


def downgrade() -> None:
    op.drop_table("preference")
