"""Who may act: people, their browser sessions, tokens and memberships."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false, func
from sqlalchemy.orm import Mapped, mapped_column

from reviewqueue.models.base import Base, Id, Json, Moment, Name, Ref, enumerated
from reviewqueue.models.states import Images, QueueRole, SiteRole


class Person(Base):
    __tablename__ = "person"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[Name]
    password_hash: Mapped[str] = mapped_column(String(255))
    """Empty: they have no password, and sign in with the provider."""
    role: Mapped[SiteRole] = mapped_column(enumerated(SiteRole, "site_role"))
    pseudonym: Mapped[str] = mapped_column(String(32), unique=True)
    """What exports call this person; random, so that it says nothing."""
    must_change_password: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[Moment]
    disabled_at: Mapped[Moment | None]
    unmailed_since: Mapped[Moment | None]
    """When they asked for no e-mail about notices; NULL: they get it."""
    set_up_put_away_at: Mapped[Moment | None]
    """When they, an administrator, had enough of the steps of the first run."""

    __table_args__ = (Index("uq_person_email_lower", func.lower(email), unique=True),)


class Preference(Base):
    """What a person has set for themselves. No row: nothing."""

    __tablename__ = "preference"

    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), primary_key=True)
    images: Mapped[Images] = mapped_column(enumerated(Images, "images"))
    covers_warned: Mapped[bool]
    """Items of a queue with a content warning are covered until asked for."""
    break_minutes: Mapped[int | None]
    """After so long at the desk a break is proposed; NULL: never."""
    time_zone: Mapped[str | None] = mapped_column(String(64))
    """A name as in `Europe/Berlin`; NULL: UTC."""
    style: Mapped[str | None] = mapped_column(String(8))
    """How dates and numbers are written; NULL: as the browser asks."""


class WebSession(Base):
    """A browser's session. The cookie carries `id` (random); deleting the row ends it."""

    __tablename__ = "web_session"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), index=True)
    user_agent: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    """Written at most once in five minutes."""
    expires_at: Mapped[Moment]
    rotate: Mapped[bool] = mapped_column(default=False)
    """The person's privileges changed: the next request is given a new id."""
    id_token: Mapped[str | None] = mapped_column(Text)
    """What the provider said of a person who signed in with it: a hint for signing out there. NULL: by password."""
    factor_elsewhere: Mapped[bool] = mapped_column(default=False, server_default=false())
    """The provider asked for a second factor that counts here."""


class SecondFactor(Base):
    """What a person's authenticator app and this site both know. Not confirmed: being set up, and asked of nobody."""

    __tablename__ = "second_factor"

    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(200))
    """Sealed with a key that is derived from the secret key, for this person alone."""
    last_step: Mapped[int]
    """The newest time step whose code was used: none is taken twice."""
    created_at: Mapped[Moment]
    confirmed_at: Mapped[Moment | None]


class RecoveryCode(Base):
    """Opens the account once in place of a code; only the SHA-256 is kept, and the row goes with its use."""

    __tablename__ = "recovery_code"

    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)


class HalfLogin(Base):
    """Password or provider have said who it is, and the second factor is asked for. It is no session: it opens that
    question alone."""

    __tablename__ = "half_login"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"), index=True)
    expires_at: Mapped[Moment]
    id_token: Mapped[str | None] = mapped_column(Text)
    """As in `WebSession`."""


class SsoIdentity(Base):
    """Whom a provider means by a subject. Its e-mail may change; this does not."""

    __tablename__ = "sso_identity"

    issuer: Mapped[str] = mapped_column(String(300), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[Moment]
    used_at: Mapped[Moment]

    __table_args__ = (UniqueConstraint("person_id", "issuer"),)


class SpentState(Base):
    """The digest of the `state` of a login at the provider that came back: none is taken twice."""

    __tablename__ = "spent_state"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[Moment]


class Token(Base):
    """`rq_<id>.<secret>`; only the secret's SHA-256 is kept. With `person_id` it acts as that person."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[Name]
    secret_sha256: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[Ref | None] = mapped_column(ForeignKey("person.id"), index=True)
    scopes: Mapped[Json]
    """A JSON array of scope names."""
    created_at: Mapped[Moment]
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    last_used_at: Mapped[Moment | None]
    """Written at most hourly."""
    requests_per_second: Mapped[int | None]
    """In each web process; NULL: as many as the site's setting lets."""


class TokenQueue(Base):
    """A token with rows here acts only on those queues."""

    __tablename__ = "token_queue"

    token_id: Mapped[str] = mapped_column(ForeignKey("token.id"), primary_key=True)
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"), primary_key=True)


class Membership(Base):
    __tablename__ = "membership"

    id: Mapped[Id]
    person_id: Mapped[Ref] = mapped_column(ForeignKey("person.id"))
    queue_id: Mapped[Ref] = mapped_column(ForeignKey("queue.id"), index=True)
    role: Mapped[QueueRole] = mapped_column(enumerated(QueueRole, "queue_role"))
    created_at: Mapped[Moment]

    __table_args__ = (UniqueConstraint("person_id", "queue_id", "role"),)


class LoginThrottle(Base):
    """Failed logins by key: an account from one address, or an account from anywhere unknown."""

    __tablename__ = "login_throttle"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_failed_at: Mapped[Moment]
    blocked_until: Mapped[Moment | None]
