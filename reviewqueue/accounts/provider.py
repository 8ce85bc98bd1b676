"""Talking to the provider of single sign-on (OpenID Connect, authorization code with PKCE). No database.

Nothing that a browser brings is believed: who somebody is comes from the provider's token endpoint, signed by the keys
that the issuer publishes, for this client, for this journey's nonce, and not later than it says.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, current_app

from reviewqueue.config import LOOPBACK, SingleSignOn
from reviewqueue.core.addresses import Allowed, Refused, target_of
from reviewqueue.core.guarded import exchange
from reviewqueue.errors import Invalid, Unavailable

SECONDS = 5.0
"""For each request to the provider, from connecting to the last byte."""
MOST_BYTES = 262_144
LEEWAY_SECONDS = 60
"""How far the provider's clock may be from the database's."""
_DESCRIPTION_SECONDS = 600
_SIGNED_WITH = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""With a key that only the issuer has: neither unsigned nor with a secret that is shared."""
_log = logging.getLogger(__name__)


class NotLetIn(Exception):
    """Whoever comes from the provider is not let in. `why` is a stable word for the audit log."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why, self.message = why, message


@dataclass(frozen=True)
class Journey:
    """What a browser takes along to the provider and brings back."""

    state: str
    nonce: str
    verifier: str
    """Of PKCE: the code is of no use to whoever has not got it."""
    next: str = ""

    @classmethod
    def begin(cls, target: str | None) -> Journey:
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), target or "")


@dataclass(frozen=True)
class Said:
    """What the provider says of somebody."""

    subject: str
    email: str | None
    email_verified: bool
    name: str
    groups: frozenset[str]
    factor: bool
    """They showed a second factor there that counts here."""
    id_token: str


class Provider:
    """The provider that the settings name. One a process: its description is kept for ten minutes."""

    def __init__(self, sso: SingleSignOn, places: int) -> None:
        self.sso = sso
        self._places = BoundedSemaphore(places)
        self._described: tuple[float, dict[str, Any]] | None = None

    def description(self) -> dict[str, Any]:
        """What the issuer publishes of itself (OpenID Connect Discovery). Raises `Unavailable`."""
        if self._described is not None and time.monotonic() < self._described[0]:
            return self._described[1]
        found = self._ask("GET", self.sso.issuer.rstrip("/") + "/.well-known/openid-configuration")
        wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found.get("issuer") != self.sso.issuer or not all(isinstance(found.get(name), str) for name in wanted):
            _log.error("REVIEWQUEUE_SSO_ISSUER is %s; its description is of %r", self.sso.issuer, found.get("issuer"))
            raise _unavailable()
        self._described = (time.monotonic() + _DESCRIPTION_SECONDS, found)
        return found

    def address_for(self, journey: Journey, redirect_uri: str) -> str:
        """Where a browser goes to sign in. Raises `Unavailable`."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        found: str = prepare_grant_uri(
            self.description()["authorization_endpoint"], client_id=self.sso.client_id, response_type="code",
            redirect_uri=redirect_uri, scope=self.sso.scopes, state=journey.state, nonce=journey.nonce,
            code_challenge=create_s256_code_challenge(journey.verifier), code_challenge_method="S256",
        )  # fmt: skip
        return found

    def redeem(self, *, code: str, journey: Journey, redirect_uri: str, now: int) -> Said:
        """What the provider says of whoever came back with `code`. `now` is the database's time in Unix seconds.

        Raises `NotLetIn` where it cannot be believed, `Unavailable`.
        """
        description = self.description()
        answer = self._token(description, code, journey, redirect_uri)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise NotLetIn("no_id_token", "The provider did not say who you are.")
        keys = self._ask("GET", description["jwks_uri"])
        claims = self._believed(id_token, access_token, keys, journey.nonce, now)
        wanted = {"email", self.sso.groups_claim} if self.sso.roles else {"email"}
        if not wanted <= claims.keys() and isinstance(description.get("userinfo_endpoint"), str) and access_token:
            headers = {"Authorization": f"Bearer {access_token}"}
            more = self._ask("GET", description["userinfo_endpoint"], headers)
            if more.get("sub") != claims["sub"]:
                raise NotLetIn("other_subject", "The provider spoke of two different people.")
            claims = {**more, **claims}
        return self._said(claims, id_token)

    def _token(self, description: Mapping[str, Any], code: str, journey: Journey, redirect_uri: str) -> dict[str, Any]:
        from authlib.oauth2.auth import ClientAuth
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        body = prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=journey.verifier
        )
        known = description.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        how = "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"
        auth = ClientAuth(self.sso.client_id, self.sso.client_secret, how if self.sso.client_secret else "none")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url, headers, body = auth.prepare("POST", description["token_endpoint"], headers, body)
        return self._ask("POST", url, headers, body.encode(), refusal="The provider did not take the code back.")

    def _believed(self, id_token: str, access_token: Any, keys: Any, nonce: str, now: int) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwk, jwt
        from joserfc.errors import InvalidClaimError, JoseError, MissingClaimError

        try:
            token = jwt.decode(id_token, jwk.KeySet.import_key_set(keys), algorithms=sorted(_SIGNED_WITH))
            claims = CodeIDToken(
                token.claims, token.header,
                options={
                    "iss": {"essential": True, "value": self.sso.issuer},
                    "aud": {"essential": True, "value": self.sso.client_id},
                    "sub": {"essential": True},
                },
                params={"nonce": nonce, "client_id": self.sso.client_id, "access_token": access_token},
            )  # fmt: skip
            claims.validate(now=now, leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            what = error.claim if isinstance(error, InvalidClaimError | MissingClaimError) else type(error).__name__
            _log.warning("An ID token of %s is not believed: %s", self.sso.issuer, error)
            raise NotLetIn(f"id_token:{what}", "The provider's answer cannot be believed.") from None
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise NotLetIn("id_token:sub", "The provider's answer cannot be believed.")
        return dict(claims)

    def _said(self, claims: Mapping[str, Any], id_token: str) -> Said:
        email, groups, amr = claims.get("email"), claims.get(self.sso.groups_claim), claims.get("amr")
        return Said(
            subject=claims["sub"],
            email=email if isinstance(email, str) else None,
            # Some write it as text; anything else is no.
            email_verified=claims.get("email_verified") in (True, "true"),
            name=" ".join(str(claims.get("name") or "").split())[:200],
            groups=_texts(groups),
            factor=bool(self.sso.second_factor & _texts(amr)),
            id_token=id_token,
        )

    def leaving(self, id_token: str, return_to: str) -> str | None:
        """Where a browser signs out of the provider too, and comes back from; None where it offers none, or is down."""
        try:
            found = self.description().get("end_session_endpoint")
        except Unavailable:
            return None
        if not isinstance(found, str) or urlsplit(found).scheme not in {"https", "http"}:
            return None
        asked = {"client_id": self.sso.client_id, "post_logout_redirect_uri": return_to, "id_token_hint": id_token}
        return f"{found}{'&' if '?' in found else '?'}{urlencode(asked)}"

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None,
        *, refusal: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The JSON object that the provider answers. Raises `Unavailable`, and `NotLetIn` for a 4xx that says
        `refusal`."""
        headers = {"Accept": "application/json", "User-Agent": "reviewqueue", **(headers or {})}
        try:
            with self._a_place():
                target = target_of(url, self._lets(url))
                reply = exchange(
                    method, target, self._lets(url), headers=headers, body=body, seconds=SECONDS, most=MOST_BYTES
                )
            found = json.loads(reply.body) if reply.whole else None
        except (OSError, HTTPException, Refused, Invalid, ValueError, RecursionError) as error:
            _log.error("the provider does not answer: %s %s: %s", method, url.partition("?")[0], error)
            raise _unavailable() from None
        if refusal is not None and 400 <= reply.status < 500:
            _log.warning("the provider answered %s to %s", reply.status, url.partition("?")[0])
            raise NotLetIn("code_refused", refusal)
        if reply.status != 200 or not isinstance(found, dict):
            _log.error("the provider answered %s to %s", reply.status, url.partition("?")[0])
            raise _unavailable()
        return found

    def _lets(self, url: str) -> Allowed:
        # The operator has named the provider, wherever it stands; plain http is for a provider on this machine.
        host = (urlsplit(url).hostname or "").lower()
        return Allowed(frozenset({host} if host in LOOPBACK or url.startswith("https://") else ()), ())

    @contextmanager
    def _a_place(self) -> Iterator[None]:
        # Each waits for somebody else's server: they never hold more than a quarter of the threads.
        if not self._places.acquire(blocking=False):
            raise Unavailable("Many people are signing in. Try again in a moment.")
        try:
            yield
        finally:
            self._places.release()


def _texts(value: Any) -> frozenset[str]:
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(one for one in values if isinstance(one, str))


def _unavailable() -> Unavailable:
    return Unavailable("The sign-in provider does not answer as it should. Try again, or ask an administrator.")


def init_app(app: Flask) -> None:
    """Give the process its provider, where there is one. Opens no connection."""
    settings = app.config["SETTINGS"]
    if settings.sso is not None:
        app.extensions["reviewqueue_provider"] = Provider(settings.sso, settings.held_threads)


def provider() -> Provider | None:
    """The provider of single sign-on; None without one."""
    found: Provider | None = current_app.extensions.get("reviewqueue_provider")
    return found
