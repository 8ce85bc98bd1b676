"""HTTP as all routes speak it: strict JSON bodies, problem details, cursors, security headers."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import pydantic
from flask import Blueprint, Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.http import parse_range_header

from reviewqueue import errors
from reviewqueue.core import strictjson
from reviewqueue.core.access import Actor
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Fault, Invalid

PROBLEM = "application/problem+json"
API_PREFIX = "/api/v1"
METRICS = "/metrics"

STATUS: dict[type[errors.Error], int] = {
    errors.Invalid: 422,
    errors.TooLarge: 413,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}

T = TypeVar("T")
Model = TypeVar("Model", bound=pydantic.BaseModel)


class Shape(pydantic.BaseModel):
    """Base of request bodies: no coercion, no unknown fields, no infinite numbers. The docstring under a member becomes
    its description in the API's document."""

    model_config = pydantic.ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, frozen=True, use_attribute_docstrings=True
    )


class Body(NamedTuple, Generic[Model]):
    """A request body: checked, and as the text it was sent as."""

    shape: Model
    value: dict[str, Any]
    raw: dict[str, str]
    """Text of each top-level member."""
    text: bytes


def status_of(error: errors.Error) -> int:
    """The one place where an error becomes a number."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


class AnyRequest(Request):
    """A request whose query may be any bytes: what is no UTF-8 is percent-encoded, as it should have come. Without this
    every look at `args` or `full_path` of such a request fails."""

    def __init__(self, environ: dict[str, Any], *args: Any, **options: Any) -> None:
        query = environ.get("QUERY_STRING", "").encode("latin-1")
        try:
            query.decode()
        except UnicodeDecodeError:
            environ["QUERY_STRING"] = quote(query, safe=_ASCII)
        super().__init__(environ, *args, **options)


_ASCII = "".join(map(chr, range(128)))


def is_api_request() -> bool:
    """Whether a program asks: with a token, and to be told of errors as problem details."""
    return request.path.startswith("/api/") or request.path == METRICS


class BrowserSessions(SecureCookieSessionInterface):
    """Flask's sessions, in a signed cookie. Programs have none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if is_api_request() else super().open_session(app, request)


def is_from_desk() -> bool:
    """Whether the desk's script asks: it is answered with pages to swap in, not with redirects."""
    return "X-Desk" in request.headers


def path_of_referrer() -> str | None:
    """Path and query of the page that the request came from, if that is one of ours."""
    found = urlsplit(request.referrer or "")
    if found.netloc != request.host:
        return None
    return f"{found.path}?{found.query}" if found.query else found.path


def refuse_nul() -> None:
    """No database column holds NUL: an address with one names nothing, and a question or a form is told so. Runs before
    each request. The desk's own forms replace it: nothing that a reviewer typed is refused for it."""
    if any("\x00" in str(value) for value in (request.view_args or {}).values()):
        raise errors.NotFound
    given = request.args.items(multi=True)
    if not is_api_request() and request.blueprint != "review":
        given = chain(given, request.form.items(multi=True))
    for name, value in given:
        if "\x00" in value or "\x00" in name:
            raise Invalid("There is a NUL character in it: remove it.", [Fault(f"/{name}", "has a NUL character")])


def ignore_odd_ranges() -> None:
    """Of a `Range` that cannot be read, counts in other units or names several, all is given out (RFC 9110, 14.2). Runs
    before each request."""
    given = request.environ.get("HTTP_RANGE")
    found = parse_range_header(given) if given else None
    if given and (found is None or found.units != "bytes" or len(found.ranges) != 1):
        del request.environ["HTTP_RANGE"]


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return text_answer(strictjson.dumps(value), status, headers)


def text_answer(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`text` is JSON already, as content kept in the database is."""
    response = Response(text, status=status, mimetype="application/json", headers=headers)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def problem_json(error: errors.Error) -> dict[str, Any]:
    """RFC 9457 problem details."""
    detail: dict[str, Any] = {
        "type": f"urn:reviewqueue:error:{error.code}",
        "title": error.title,
        "status": status_of(error),
        "detail": error.message,
        "code": error.code,
        **error.extra,
    }
    if isinstance(error, Invalid):
        detail["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults]
    return detail


def problem(error: errors.Error) -> Response:
    """`error` as an answer."""
    status = status_of(error)
    response = json_answer(problem_json(error), status)
    response.mimetype = PROBLEM
    if isinstance(error, errors.TooMany | errors.Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, RangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.length}"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="reviewqueue"'
    return response


def read_body(shape: type[Model]) -> Body[Model]:
    """The request's JSON object as `shape`.

    Raises `Invalid` with a pointer to every fault, `TooLarge` over `REVIEWQUEUE_MAX_BODY_BYTES` and, for another
    content type, `UnsupportedMediaType` (415).
    """
    if not _is_json():
        if request.content_length or request.mimetype:
            raise UnsupportedMediaType
        return checked(shape, b"{}")
    return checked(shape, request.get_data(cache=False))


def _is_json() -> bool:
    return request.mimetype == "application/json" or request.mimetype.endswith("+json")


def read_bodies(shape: type[Model], member: str, *, most: int) -> list[Body[Model] | errors.Error]:
    """The request's JSON object `{member: […]}`, each element as `shape` or as the error that says why it is none.

    Raises `Invalid` for what is not such a list, of at most `most`.
    """
    if not _is_json():
        raise UnsupportedMediaType
    found = strictjson.parse_objects(request.get_data(), member)
    if not 1 <= len(found) <= most:
        faults = [Fault(f"/{member}", "has the wrong length")]
        raise Invalid(f"Send 1 to {most:,} {member}; these are {len(found):,}.", faults)
    return [shaped_or_error(shape, document, text.encode()) for document, text in found]


def shaped_or_error(
    shape: type[Model], document: strictjson.Document | errors.Error, text: bytes
) -> Body[Model] | errors.Error:
    """The document as `shape`, or the error that says why it is none."""
    if isinstance(document, errors.Error):
        return document
    try:
        return _shaped(shape, document, text)
    except Invalid as error:
        return error


class UnsupportedMediaType(errors.Error):
    code = "unsupported_media_type"
    title = "Send JSON"

    def __init__(self, wanted: str = "application/json") -> None:
        super().__init__(f"Send the body with the header Content-Type: {wanted}.")


class MethodNotAllowed(errors.Error):
    code = "method_not_allowed"
    title = "This address does not take that method"


class BadRequest(errors.Error):
    code = "bad_request"
    title = "The request cannot be understood"


class RangeNotSatisfiable(errors.Error):
    """A `Range` that the file does not have; it has `length` bytes."""

    code = "range_not_satisfiable"
    title = "The file has no such bytes"

    def __init__(self, message: str, *, length: int = 0) -> None:
        super().__init__(message)
        self.length = length


STATUS |= {UnsupportedMediaType: 415, MethodNotAllowed: 405, BadRequest: 400, RangeNotSatisfiable: 416}


def checked(shape: type[Model], text: bytes) -> Body[Model]:
    """`text` as `shape`. Raises `Invalid`."""
    return _shaped(shape, strictjson.parse_object(text), text)


def _shaped(shape: type[Model], document: strictjson.Document, text: bytes) -> Body[Model]:
    try:
        return Body(shape.model_validate(document.value), document.value, document.raw, text)
    except pydantic.ValidationError as error:
        raise Invalid("The body does not have the expected shape.", faults_of(error)) from None


def faults_of(error: pydantic.ValidationError) -> list[Fault]:
    """Pydantic's findings as pointers and plain words."""
    return [
        Fault("".join(f"/{strictjson.escape_pointer(str(part))}" for part in found["loc"]), _in_words(found))
        for found in error.errors(include_url=False, include_input=False)
    ]


_WORDS = {
    "extra_forbidden": "is not a known field: check its name, or remove it",
    "missing": "is required",
    "model_type": "should be an object",
    "dict_type": "should be an object",
}


def _in_words(found: Any) -> str:
    message = _WORDS.get(found["type"], found["msg"])
    return str(message).removeprefix("Value error, ").removeprefix("Input ")


def actor() -> Actor:
    """Who makes this request. Raises `Unauthenticated`."""
    who: Actor | None = g.get("actor")
    if who is None:
        raise errors.Unauthenticated("Send a token: Authorization: Bearer rq_…")
    return who


# -- lists ------------------------------------------------------------------------------------------------------------

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000


def page_size() -> int:
    """`?limit=`, 1 to 1,000. Raises `Invalid`."""
    given = request.args.get("limit")
    if given is None:
        return DEFAULT_PAGE
    if not given.isascii() or not given.isdigit() or len(given) > 4 or not 1 <= int(given) <= LARGEST_PAGE:
        raise Invalid(f"limit must be a whole number from 1 to {LARGEST_PAGE:,}.", code="bad_parameter")
    return int(given)


PAGE_BYTES = 16 * 1024 * 1024
"""After which a page of items ends, however few they are."""


READ_AT_ONCE = 50
"""Rows, where each may be large."""


def page_of(read: Callable[[T | None, int], Sequence[T]], limit: int, size: Callable[[T], int]) -> tuple[list[T], bool]:
    """The first `limit` rows, or fewer where they are large; and whether there are more.

    `read(row, most)` gives the rows that come after that one, or after none; `size` tells the bytes of a row.
    """
    found: list[T] = []
    left = PAGE_BYTES
    while True:
        most = min(READ_AT_ONCE, limit + 1 - len(found))
        some = read(found[-1] if found else None, most)
        for row in some:
            if len(found) == limit or left <= 0:
                return found, True
            found.append(row)
            left -= size(row)
        if len(some) < most:
            return found, False


def cursor_of(*parts: str) -> str:
    """An opaque cursor."""
    return base64.urlsafe_b64encode("\x1f".join(parts).encode()).decode().rstrip("=")


def page_number(name: str) -> int:
    """Which page the query's parameter of that name asks for, from 1. Raises `Invalid`."""
    given = request.args.get(name, "1")
    if not given.isascii() or not given.isdigit() or len(given) > 4 or int(given) < 1:
        raise Invalid(f"{name} must be a whole number from 1.", code="bad_parameter")
    return int(given)


def parse_cursor(text: str | None, *parts: int) -> list[str] | None:
    """What `cursor_of` was given, so many parts; None for none. Raises `Invalid` for one that we did not make."""
    if not text:
        return None
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("\x1f")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        found = []
    if len(found) not in parts or any("\x00" in part for part in found):
        raise bad_cursor()
    return found


def bad_cursor() -> Invalid:
    return Invalid("The cursor is not one that this list gave. Start without it.", code="bad_cursor")


def id_cursor() -> str | None:
    """The id after which `?cursor=` goes on; None to begin. Raises `Invalid`."""
    found = parse_cursor(request.args.get("cursor"), 1)
    try:
        return None if found is None else known_id(found[0])
    except errors.NotFound:
        raise bad_cursor() from None


def only_parameters(*names: str) -> None:
    """Raises `Invalid` for a parameter that is not one of `names`: where a slip of the pen would do harm unseen."""
    unknown = sorted(request.args.keys() - set(names))
    if unknown:
        raise Invalid(f"There is no parameter {unknown[0]!r} here, only {', '.join(names)}.", code="bad_parameter")


def flag(name: str) -> bool:
    """Whether `?name=` is set: 1 or true, 0 or false. Raises `Invalid` for anything else."""
    given = request.args.get(name, "0")
    if given not in {"0", "1", "false", "true"}:
        raise Invalid(f"{name} must be 1 or true, 0 or false.", code="bad_parameter")
    return given in {"1", "true"}


def list_answer(name: str, rows: Sequence[dict[str, Any]], cursor: str | None, *, more: bool | None = None) -> Response:
    """`{name: […], "cursor": …}` with `Link: rel="next"` (RFC 8288) while there is more: while there is a cursor, if
    `more` does not say."""
    response = text_answer(strictjson.spliced({name: rows, "cursor": cursor}))
    if cursor is not None and more is not False:
        # Not url_for: it would take what somebody wrote into the query for its own parameters.
        query = urlencode({**request.args.to_dict(), "cursor": cursor})
        response.headers["Link"] = f'<{quote(request.path)}?{query}>; rel="next"'
    return response


# -- headers ----------------------------------------------------------------------------------------------------------


def cookie_name(name: str, *, secure: bool, everywhere: bool = True) -> str:
    """A name by which browsers know that it came over TLS, and, sent `everywhere` on this host, from no other host."""
    if not secure:
        return name
    return f"__Host-{name}" if everywhere else f"__Secure-{name}"


CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "frame-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def secure(response: Response) -> Response:
    """Set the headers that every answer carries, errors too."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if request.endpoint == "static":
        # Every address of a static file carries its digest, see `assets.py`.
        fresh = "v" in request.args and response.status_code == 200
        headers["Cache-Control"] = "public, max-age=31536000, immutable" if fresh else "no-cache"
    else:
        headers.setdefault("Cache-Control", "no-store")
    if current_app.config["SESSION_COOKIE_SECURE"]:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return response


def api_blueprint(name: str) -> Blueprint:
    """A blueprint of JSON routes, under `/api/v1`, for bearer tokens alone."""
    return Blueprint(f"{name}_api", f"reviewqueue.{name}.api", url_prefix=API_PREFIX)


def safe_next(target: str | None) -> str | None:
    """`target` if it is a path of this site; None for anything that could lead elsewhere."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or "\\" in target:
        return None
    if any(ord(character) < 33 for character in target):
        return None
    return target


View = TypeVar("View", bound=Callable[..., Any])


def signed_in(view: View) -> View:
    """For HTML routes: without a session, go to the login page and come back after."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if g.get("actor") is None:
            raise errors.Unauthenticated("Sign in to go on.")
        return view(*args, **kwargs)

    return guarded  # type: ignore[return-value]
