"""Settings, read once from the environment into a frozen object. Each is documented here and in docs/settings.md."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from reviewqueue.errors import Error

DEFAULT_DATA_DIR = "reviewqueue-data"
SMTP_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}

SITE_ROLES = frozenset({"admin", "auditor", "member"})
QUEUE_ROLES = frozenset({"reviewer", "lead", "analyst"})
ROLES = SITE_ROLES | QUEUE_ROLES
"""Of the site and of queues, as `models.states` has them."""
PASSWORDS = ("everybody", "admins", "nobody")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class BadSetting(Error):
    code = "bad_setting"
    title = "A setting is wrong"


class NoInstallation(Error):
    code = "no_installation"
    title = "There is no installation here"


class RestoreUnfinished(Error):
    code = "restore_unfinished"
    title = "A restore broke off here"


@dataclass(frozen=True)
class SingleSignOn:
    """The OpenID Connect provider that people sign in with."""

    issuer: str
    """`REVIEWQUEUE_SSO_ISSUER`: its address, exactly as it calls itself."""
    client_id: str
    """`REVIEWQUEUE_SSO_CLIENT_ID`: what it calls this site."""
    client_secret: str = field(default="", repr=False)
    """`REVIEWQUEUE_SSO_CLIENT_SECRET`: default none, for a public client."""
    title: str = ""
    """`REVIEWQUEUE_SSO_NAME`: what the button says. Default: the issuer's host."""
    scopes: str = "openid profile email"
    """`REVIEWQUEUE_SSO_SCOPES`: what is asked for, separated by spaces."""
    groups_claim: str = "groups"
    """`REVIEWQUEUE_SSO_GROUPS_CLAIM`: the claim that names a person's groups."""
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`REVIEWQUEUE_SSO_ROLES`: JSON, a group to its roles: `{"rq-admins": "admin", "cards": ["intents:lead"]}`.
    Default: none; new people are members, and roles are given here."""
    domains: frozenset[str] = frozenset()
    """`REVIEWQUEUE_SSO_DOMAINS`: domains of e-mail that are let in, separated by commas. Default: any."""
    second_factor: frozenset[str] = frozenset()
    """`REVIEWQUEUE_SSO_SECOND_FACTOR`: values of `amr`, separated by commas, any of which counts as a second factor:
    `mfa,hwk`. Default: none does."""


@dataclass(frozen=True)
class Settings:
    """Everything that differs between two installations."""

    data_dir: Path
    """`REVIEWQUEUE_DATA_DIR`: where the embedded database, files and keys live. Default `./reviewqueue-data`."""
    database_url: str
    """`DATABASE_URL`: PostgreSQL or SQLite. Default: SQLite in the data directory."""
    redis_url: str | None
    """`REDIS_URL`: Redis or Valkey. Default: one that `reviewqueue up` supervises, on a unix socket."""
    secret_key: str = field(repr=False)
    """`REVIEWQUEUE_SECRET_KEY`: signs cookies, keys the audit draw. Default: made once, in the data directory.
    Must be the same on every machine of one installation."""
    max_body_bytes: int = 1_310_720
    """`REVIEWQUEUE_MAX_BODY_BYTES`: largest request body, in bytes. Default 1.25 MiB."""
    max_item_bytes: int = 1_048_576
    """`REVIEWQUEUE_MAX_ITEM_BYTES`: largest item, in bytes of its JSON. Default 1 MiB."""
    session_hours: int = 12
    """`REVIEWQUEUE_SESSION_HOURS`: a browser session ends after this many hours without a request. Default 12."""
    second_factor_roles: frozenset[str] = frozenset()
    """`REVIEWQUEUE_SECOND_FACTOR_ROLES`: roles, on the site or in any queue, separated by commas, that must
    sign in with a second factor. Default: none; everybody may."""
    sso: SingleSignOn | None = None
    """Set by `REVIEWQUEUE_SSO_ISSUER`. Default: people sign in with passwords alone."""
    passwords: str = "everybody"
    """`REVIEWQUEUE_PASSWORDS`: who may sign in with a password: `everybody`, `admins` or `nobody`; all others sign in
    with the provider, and sessions begun with a password end. Default `everybody`."""
    secure_cookies: bool = False
    """`REVIEWQUEUE_SECURE_COOKIES`: `1` behind TLS: cookies are sent over TLS only, and HSTS is on. Default `0`."""
    trusted_proxies: int = 0
    """`REVIEWQUEUE_TRUSTED_PROXIES`: how many proxies in front set `X-Forwarded-*`. Default 0."""
    argon2_time_cost: int = 3
    """`REVIEWQUEUE_ARGON2_TIME_COST`: iterations of the password hash. Default 3 (with 64 MiB)."""
    argon2_memory_kib: int = 65_536
    """`REVIEWQUEUE_ARGON2_MEMORY_KIB`: memory of the password hash, in KiB. Default 65536."""
    final_say: bool = True
    """`REVIEWQUEUE_FINAL_SAY`: `1` keeps high-risk items from ever passing without a person. Default `1`."""
    web_threads: int = 8
    """`REVIEWQUEUE_WEB_THREADS`: threads of one web process; at most a quarter of them hold long polls. Default 8."""
    execution_lease_seconds: int = 60
    """`REVIEWQUEUE_EXECUTION_LEASE_SECONDS`: a job's hold on its rows, renewed while it works. Default 60."""
    webhook_allow: str = ""
    """`REVIEWQUEUE_WEBHOOK_ALLOW`: host names, addresses and networks, separated by commas, that webhooks may go to
    though they are not public, and by plain http. Default: none."""
    max_media_bytes: int = 10_485_760
    """`REVIEWQUEUE_MAX_MEDIA_BYTES`: largest picture or document, in bytes. Default 10 MiB."""
    media_allow: tuple[str, ...] = ()
    """`REVIEWQUEUE_MEDIA_ALLOW`: beginnings of the addresses from which media may be fetched, separated by commas:
    `https://files.example.com/receipts/`. Default: none."""
    requests_per_second: int = 0
    """`REVIEWQUEUE_REQUESTS_PER_SECOND`: how many requests a token may make in each web process, where it has no
    limit of its own. Default 0: any number."""
    public_url: str = ""
    """`REVIEWQUEUE_PUBLIC_URL`: the address at which people open the site, for links in e-mail. Default: no links."""
    smtp_url: str = field(default="", repr=False)
    """`REVIEWQUEUE_SMTP_URL`: the server that takes e-mail: `smtps://user:password@host:465` (TLS),
    `smtp+starttls://user:password@host:587`, or `smtp://host:25`. Default: none is sent."""
    mail_from: str = ""
    """`REVIEWQUEUE_MAIL_FROM`: the sender of e-mail. Required with a server."""
    traces: bool = False
    """`REVIEWQUEUE_TRACES`: `1` sends OpenTelemetry traces to where its own variables (`OTEL_…`) say. Default `0`."""
    log_format: str = "text"
    """`REVIEWQUEUE_LOG_FORMAT`: `text`, or `json`: an object a line, and a line a request. Default `text`."""

    exports_url: str = ""
    """`REVIEWQUEUE_EXPORTS_URL`: where the files of exports live, as in `s3://bucket/folder` (the extra s3;
    credentials from the AWS environment). Default: `exports` below the data directory."""
    checkpoint_url: str = ""
    """`REVIEWQUEUE_CHECKPOINT_URL`: where each signed checkpoint of the audit log is sent. Default: nowhere."""

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def held_threads(self) -> int:
        """How many threads of a web process may be held for long by one kind of request: a quarter, one at least."""
        return max(1, self.web_threads // 4)

    @property
    def exports_dir(self) -> Path:
        return self.data_dir / "exports"

    @property
    def media_dir(self) -> Path:
        return self.data_dir / "media"


def load(
    environ: Mapping[str, str] | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    may_create: bool = True,
    restoring: bool = False,
) -> Settings:
    """Read the settings. Creates the data directory and, once, the secret key in it, where it `may_create` them.

    Raises `BadSetting` naming the variable when a value cannot be read, and `NoInstallation` where it may not create
    what is not there: a command in the wrong directory must not begin a second installation. Where a restore broke off,
    it raises `RestoreUnfinished` for all but that restore.
    """
    env = os.environ if environ is None else environ
    sso = _sso(env)
    directory = Path(data_dir or env.get("REVIEWQUEUE_DATA_DIR") or DEFAULT_DATA_DIR).expanduser().resolve()
    database_url = _database_url(env.get("DATABASE_URL"), directory)
    if not restoring:
        _refuse_unfinished(directory)
    if not may_create:
        _require_installation(env, directory, database_url)
    return Settings(
        data_dir=directory,
        database_url=database_url,
        redis_url=env.get("REDIS_URL") or None,
        secret_key=env.get("REVIEWQUEUE_SECRET_KEY") or _kept_secret(directory),
        max_body_bytes=_number(env, "REVIEWQUEUE_MAX_BODY_BYTES", 1_310_720),
        max_item_bytes=_number(env, "REVIEWQUEUE_MAX_ITEM_BYTES", 1_048_576),
        session_hours=_number(env, "REVIEWQUEUE_SESSION_HOURS", 12),
        second_factor_roles=_roles(env, "REVIEWQUEUE_SECOND_FACTOR_ROLES"),
        sso=sso,
        passwords=_passwords(env, sso),
        secure_cookies=_flag(env, "REVIEWQUEUE_SECURE_COOKIES", default=False),
        trusted_proxies=_number(env, "REVIEWQUEUE_TRUSTED_PROXIES", 0),
        argon2_time_cost=_number(env, "REVIEWQUEUE_ARGON2_TIME_COST", 3),
        argon2_memory_kib=_number(env, "REVIEWQUEUE_ARGON2_MEMORY_KIB", 65_536),
        final_say=_flag(env, "REVIEWQUEUE_FINAL_SAY", default=True),
        web_threads=_number(env, "REVIEWQUEUE_WEB_THREADS", 8),
        execution_lease_seconds=_number(env, "REVIEWQUEUE_EXECUTION_LEASE_SECONDS", 60),
        webhook_allow=env.get("REVIEWQUEUE_WEBHOOK_ALLOW", ""),
        max_media_bytes=_number(env, "REVIEWQUEUE_MAX_MEDIA_BYTES", 10_485_760),
        media_allow=_media_allow(env),
        requests_per_second=_number(env, "REVIEWQUEUE_REQUESTS_PER_SECOND", 0),
        public_url=_public_url(env),
        smtp_url=_smtp_url(env),
        mail_from=env.get("REVIEWQUEUE_MAIL_FROM", ""),
        traces=_flag(env, "REVIEWQUEUE_TRACES", default=False),
        log_format=_log_format(env),
        exports_url=_exports_url(env),
        checkpoint_url=_checkpoint_url(env),
    )


def _log_format(env: Mapping[str, str]) -> str:
    how = env.get("REVIEWQUEUE_LOG_FORMAT", "") or "text"
    if how not in {"text", "json"}:
        raise BadSetting("REVIEWQUEUE_LOG_FORMAT must be text or json.")
    return how


def _parts(env: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(filter(None, (part.strip() for part in env.get(name, "").split(","))))


def _roles(env: Mapping[str, str], name: str) -> frozenset[str]:
    found = _parts(env, name)
    unknown = found - ROLES
    if unknown:
        raise BadSetting(f"{name} must hold roles ({', '.join(sorted(ROLES))}), not {min(unknown)!r}.")
    return found


def _sso(env: Mapping[str, str]) -> SingleSignOn | None:
    issuer = env.get("REVIEWQUEUE_SSO_ISSUER", "")
    if not issuer:
        return None
    client_id = env.get("REVIEWQUEUE_SSO_CLIENT_ID", "")
    parts = urlsplit(issuer)
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise BadSetting("REVIEWQUEUE_SSO_ISSUER must be an address that starts with https://.")
    if not client_id:
        raise BadSetting("REVIEWQUEUE_SSO_CLIENT_ID must be set with REVIEWQUEUE_SSO_ISSUER.")
    if importlib.util.find_spec("authlib") is None:
        raise BadSetting("REVIEWQUEUE_SSO_ISSUER needs Authlib: pip install 'reviewqueue[sso]'.")
    scopes = env.get("REVIEWQUEUE_SSO_SCOPES", "") or SingleSignOn.scopes
    if "openid" not in scopes.split():
        raise BadSetting("REVIEWQUEUE_SSO_SCOPES must hold openid.")
    return SingleSignOn(
        issuer=issuer,
        client_id=client_id,
        client_secret=env.get("REVIEWQUEUE_SSO_CLIENT_SECRET", ""),
        title=env.get("REVIEWQUEUE_SSO_NAME", "") or parts.hostname,
        scopes=scopes,
        groups_claim=env.get("REVIEWQUEUE_SSO_GROUPS_CLAIM", "") or SingleSignOn.groups_claim,
        roles=_sso_roles(env.get("REVIEWQUEUE_SSO_ROLES", "")),
        domains=frozenset(part.lower().removeprefix("@") for part in _parts(env, "REVIEWQUEUE_SSO_DOMAINS")),
        second_factor=_parts(env, "REVIEWQUEUE_SSO_SECOND_FACTOR"),
    )


def _sso_roles(text: str) -> dict[str, tuple[str, ...]]:
    name = "REVIEWQUEUE_SSO_ROLES"
    try:
        given = json.loads(text or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise BadSetting(f'{name} must be a JSON object such as {{"rq-admins": "admin", "cards": ["intents:lead"]}}.')
    found = {}
    for group, roles in given.items():
        wanted = tuple([roles] if isinstance(roles, str) else roles if isinstance(roles, list) else [None])
        for role in wanted:
            queue, _, own = str(role).rpartition(":")
            if own not in (QUEUE_ROLES if queue else SITE_ROLES):
                raise BadSetting(f"{name}: {role!r} of the group {group!r} is neither a site role nor QUEUE:ROLE.")
        found[group] = wanted
    return found


def _passwords(env: Mapping[str, str], sso: SingleSignOn | None) -> str:
    who = env.get("REVIEWQUEUE_PASSWORDS", "") or "everybody"
    if who not in PASSWORDS:
        raise BadSetting(f"REVIEWQUEUE_PASSWORDS must be one of {', '.join(PASSWORDS)}.")
    if who != "everybody" and sso is None:
        raise BadSetting("REVIEWQUEUE_PASSWORDS keeps people out who have no other way in: set REVIEWQUEUE_SSO_ISSUER.")
    return who


def _public_url(env: Mapping[str, str]) -> str:
    url = env.get("REVIEWQUEUE_PUBLIC_URL", "").rstrip("/")
    if url and not url.startswith(("http://", "https://")):
        raise BadSetting("REVIEWQUEUE_PUBLIC_URL must start with https:// or http://.")
    return url


def _checkpoint_url(env: Mapping[str, str]) -> str:
    url = env.get("REVIEWQUEUE_CHECKPOINT_URL", "")
    if url and not url.startswith(("http://", "https://")):
        raise BadSetting("REVIEWQUEUE_CHECKPOINT_URL must start with https:// or http://.")
    return url


def _exports_url(env: Mapping[str, str]) -> str:
    url = env.get("REVIEWQUEUE_EXPORTS_URL", "").rstrip("/")
    if url and (urlsplit(url).scheme != "s3" or not urlsplit(url).netloc):
        raise BadSetting("REVIEWQUEUE_EXPORTS_URL must be s3://bucket or s3://bucket/folder.")
    if url and importlib.util.find_spec("s3fs") is None:
        raise BadSetting("REVIEWQUEUE_EXPORTS_URL needs s3fs: pip install 'reviewqueue[s3]'.")
    return url


def _media_allow(env: Mapping[str, str]) -> tuple[str, ...]:
    found = tuple(filter(None, (part.strip() for part in env.get("REVIEWQUEUE_MEDIA_ALLOW", "").split(","))))
    for prefix in found:
        # Without the slash behind its host, `https://files.example.com` would let `https://files.example.com.evil` in.
        scheme, _, rest = prefix.partition("://")
        if scheme not in {"http", "https"} or rest.find("/") < 1:
            raise BadSetting(f"REVIEWQUEUE_MEDIA_ALLOW must hold addresses such as https://host/path/, not {prefix!r}.")
    return found


def _smtp_url(env: Mapping[str, str]) -> str:
    url = env.get("REVIEWQUEUE_SMTP_URL", "")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in SMTP_PORTS and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadSetting("REVIEWQUEUE_SMTP_URL must be smtps://…, smtp+starttls://… or smtp://…, with a host.")
    if not env.get("REVIEWQUEUE_MAIL_FROM"):
        raise BadSetting("REVIEWQUEUE_MAIL_FROM must name the sender of e-mail when REVIEWQUEUE_SMTP_URL is set.")
    return url


def _database_url(given: str | None, directory: Path) -> str:
    if not given:
        return f"sqlite:///{directory / 'reviewqueue.db'}"
    # Every provider hands out `postgres://` or `postgresql://`; SQLAlchemy wants the driver named.
    for prefix in ("postgres://", "postgresql://"):
        if given.startswith(prefix):
            return "postgresql+psycopg://" + given.removeprefix(prefix)
    if not given.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise BadSetting("DATABASE_URL must start with postgresql:// or sqlite:///path.")
    return given


def restore_place(directory: Path) -> Path:
    """Where a backup is made an installation again, before that takes its place as `directory`."""
    return directory.with_name(f".{directory.name}.restoring")


def _refuse_unfinished(directory: Path) -> None:
    within = directory.name.startswith(".") and directory.name.endswith(".restoring")
    if within or restore_place(directory).exists():
        raise RestoreUnfinished(
            f"A restore into {directory} has not ended. Let it end, run it again, or remove "
            f"{directory if within else restore_place(directory)}."
        )


def _require_installation(env: Mapping[str, str], directory: Path, database_url: str) -> None:
    where = "go where `reviewqueue up` runs, or set REVIEWQUEUE_DATA_DIR"
    scheme, _, rest = database_url.partition(":///")
    file = rest.partition("?")[0]
    if scheme == "sqlite" and not Path(file).exists():
        place = f"no database {file}" if env.get("DATABASE_URL") else f"no installation in {directory}"
        raise NoInstallation(f"There is {place}: {where}. `reviewqueue up` begins a new one.")
    if not env.get("REVIEWQUEUE_SECRET_KEY") and not (directory / "secret_key").exists():
        raise NoInstallation(f"There is no secret key in {directory}: {where} or REVIEWQUEUE_SECRET_KEY.")


def _kept_secret(directory: Path) -> str:
    path = directory / "secret_key"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        fresh = directory / f".secret_key.{secrets.token_hex(4)}"
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        # A link appears whole and only once, however many processes start together.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text().strip()


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except ValueError:
        raise BadSetting(f"{name} must be a whole number, not {value!r}.") from None
    if number < 0:
        raise BadSetting(f"{name} must not be negative.")
    return number


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if value == "":
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(f"{name} must be 1 or 0, not {value!r}.")
