"""Requests that nobody would make: of a sound one, by a seeded generator. The same seed makes the same bytes."""

from __future__ import annotations

import copy
import gzip
import io
import json
import zlib
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes

from werkzeug.wrappers import Response

ID = "01930000-0000-7000-8000-000000000000"
ODD_TEXTS = [
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff x", "\u202e", "\ufeff", "x" * 70_000, "é" * 300,
    "../../etc/passwd", "%00",
    "'; DROP TABLE item; --", "{{7*7}}", "${7*7}", "=1+1", "<script>", "/a~2b", "//", "#", "[", "(a+)+$", "\\",
    "intents",
    ID, ID.upper(), f"{ID}.1", f"{ID}.-1", f"{ID}.{'9' * 40}", "0192", "1e400", "NaN", "-0", "٣", "²", "9" * 5_000,
    "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01", "24:00",
    "infinity",
    "javascript:alert(1)", "http://[::1", "http://a:99999/", "http://\u2488.example", "https://127.0.0.1/", "a@b",
    "true",
]  # fmt: skip
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**400, 0.1, -0.0, 1e308, 5e-324, [], {}, [[]],
    [None],
    {"": ""}, {"$media": ID}, {"$media": None}, {"__proto__": {"a": 1}}, {"constructor": {"prototype": {}}},
    [{}] * 300,
    {"type": "object", "properties": {"a": {"$ref": "#"}}}, {"$ref": "http://localhost/schema"}, {"type": "nonsense"},
    {"pattern": "(a+)+$", "type": "string"}, {"enum": []}, {"a/b~c": {"\ufffd": 1}}, {"pointer": "/x",
    "confidence": 2},
]  # fmt: skip
FRAGMENTS = [
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u0000", b"\\ud800", b"NaN", b"-Infinity", b"1e999", b"-0",
    b"\xff",
    b"\x00", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"9" * 5_000, b"[" * 5_000,
    b'{"a":' * 3_000,
    b"\r\n", b"/*", b"'", b"0x1", b"01", b"+1", b".5",
]  # fmt: skip
TYPES = [
    "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16",
    "application/json;charset=nope",
    'application/json; charset="', "APPLICATION/JSON", "application/problem+json", "application/merge-patch+json",
    "text/json",
    "text/plain", "application/x-ndjson", "application/yaml", "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=", "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=" + "x" * 300, "", "/",
    ";", "application/json\x00", "a/b" * 2_000, "application/json, text/html", "image/svg+xml",
]  # fmt: skip
HEADERS = [
    "Idempotency-Key", "Authorization", "Accept", "Accept-Language", "Accept-Encoding", "If-None-Match",
    "If-Match", "Range",
    "If-Modified-Since", "If-Range", "Cookie", "Host", "Origin", "Referer", "X-Forwarded-For", "X-Forwarded-Proto",
    "X-Desk",
    "X-Forwarded-Host", "X-HTTP-Method-Override", "Content-Encoding", "Expect", "Forwarded", "traceparent",
    "tracestate",
    "X-Request-Id", "User-Agent", "X-CSRFToken", "Content-Range", "Transfer-Encoding", "Date", "TE", "Upgrade",
]  # fmt: skip
METHODS = [
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PATCH",
    "DELETE",
    "GET",
    "POST",
    "PUT",
    "BREW",
    "post",
    "X" * 200,
    "\xe9",
]
PARAMETERS = [
    "cursor",
    "limit",
    "wait",
    "queue",
    "state",
    "dry_run",
    "note",
    "most",
    "last",
    "q",
    "subject",
    "page",
    "next",
]


@dataclass(frozen=True)
class Wire:
    """A request as a server hands it on: bytes, and text that stands for bytes."""

    method: str
    path: bytes
    query: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: str | None = None
    """What it says of its length, where that is wrong."""

    def environ(self) -> dict[str, Any]:
        said = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        said["CONTENT_TYPE"] = said.pop("HTTP_CONTENT_TYPE", "")
        if self.length is not None or self.body:
            said["CONTENT_LENGTH"] = str(len(self.body)) if self.length is None else self.length
        return {
            "REQUEST_METHOD": self.method, "SCRIPT_NAME": "", "PATH_INFO": self.path.decode("latin-1"),
            "QUERY_STRING": self.query.decode("latin-1"), "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "localhost", "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(self.body), "wsgi.input_terminated": True,
            "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
            **said,
        }  # fmt: skip

    def sent_to(self, app: Any) -> Response:
        return Response.from_app(app, self.environ(), buffered=True)


def spoiled(wire: Wire, sample: Any, random: Random) -> Wire:
    """`wire`, whose body is or could be `sample`, with something about it that is odd."""
    how = random.choices(
        [_body_value, _body_text, _body_bytes, _body_form, _type, _header, _query, _path, _method, _length, _encoding],
        [30, 15, 8, 3, 8, 12, 10, 6, 3, 4, 3],
    )[0]
    return how(wire, sample, random)


def _text(random: Random) -> str:
    return random.choice(ODD_TEXTS)


def _bytes(random: Random) -> bytes:
    if random.random() < 0.5:
        return _text(random).encode("utf-8", "surrogatepass")
    return b"".join(random.choices(FRAGMENTS, k=random.randint(1, 4)))


def _raw(random: Random) -> str:
    """As it stands in a header: bytes as text, without line ends, which no server lets through."""
    return "".join(each for each in _bytes(random)[:9_000].decode("latin-1") if each not in "\r\n\x00")


def _value(random: Random) -> Any:
    return copy.deepcopy(random.choice([_text(random), random.choice(ODD_VALUES)]))


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _places(inner, (*at, key))
    return found


def _body_value(wire: Wire, sample: Any, random: Random) -> Wire:
    """One to three values replaced, taken away or added: it stays JSON."""
    value = copy.deepcopy(sample) if sample is not None else {}
    for _ in range(random.randint(1, 3)):
        place = random.choice(_places(value))
        if not place:
            if random.random() < 0.1:
                value = _value(random)
            elif isinstance(value, dict):
                value[_text(random) if random.random() < 0.5 else random.choice(PARAMETERS)] = _value(random)
            continue
        inside = value
        for key in place[:-1]:
            inside = inside[key]
        if random.random() < 0.2:
            del inside[place[-1]]
        else:
            inside[place[-1]] = _value(random)
    return _json(wire, json.dumps(value).encode())


def _body_text(wire: Wire, sample: Any, random: Random) -> Wire:
    """The sound text with bytes put in, taken out, turned or said twice."""
    text = bytearray(json.dumps(sample if sample is not None else {}).encode())
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(text) + 1)
        match random.randrange(5):
            case 0:
                text[at:at] = _bytes(random)
            case 1:
                del text[at:]
            case 2:
                del text[at : at + random.randint(1, 9)]
            case 3 if at < len(text):
                text[at] ^= 1 << random.randrange(8)
            case _:
                text[at:at] = text[random.randrange(len(text) + 1) :][:60]
    return _json(
        wire, bytes(text).decode("latin-1").encode(random.choice(["latin-1"] * 6 + ["utf-8", "utf-16", "utf-32"]))
    )


def _body_bytes(wire: Wire, sample: Any, random: Random) -> Wire:
    return _json(wire, random.choice([random.randbytes(random.randint(0, 400)), _bytes(random), b"[" * 200_000]))


def _body_form(wire: Wire, sample: Any, random: Random) -> Wire:
    """A form of one part or many, whole or cut off."""
    names = [*(sample if isinstance(sample, dict) else ()), "queue", "file", _text(random)]
    files = [b"", b'; filename="a.png"', b'; filename="' + _bytes(random)[:500] + b'"', b"; filename*=utf-8''%ff"]
    kinds = [
        b"",
        b"\r\nContent-Type: image/png",
        b"\r\nContent-Type: text/plain; charset=nope",
        b"\r\n" + _bytes(random),
    ]
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="' + random.choice(names).encode("utf-8", "replace") + b'"'
        + random.choice(files) + random.choice(kinds) + b"\r\n\r\n" + _bytes(random) + b"\r\n"
        for _ in range(random.choice([1, 3, 1_200]))
    ]  # fmt: skip
    body = b"".join(parts) + random.choice([b"--x--\r\n", b"--x", b""])
    return replace(wire, body=body, headers={**wire.headers, "Content-Type": "multipart/form-data; boundary=x"})


def _type(wire: Wire, sample: Any, random: Random) -> Wire:
    body = random.choice([wire.body, b"", b"a=%00&b=%ff&" * 3, b"a&" * 3_000, _bytes(random)])
    return replace(wire, body=body, headers={**wire.headers, "Content-Type": random.choice(TYPES)})


def _header(wire: Wire, sample: Any, random: Random) -> Wire:
    given = {random.choice(HEADERS): _raw(random) for _ in range(random.randint(1, 3))}
    return replace(wire, headers={**wire.headers, **given})


def _query(wire: Wire, sample: Any, random: Random) -> Wire:
    pairs = []
    for _ in range(random.randint(1, 4)):
        value = _bytes(random)[:6_000]
        name = random.choice(PARAMETERS).encode() if random.random() < 0.8 else _bytes(random)[:50]
        pairs.append(name + b"=" + random.choice([value, quote_from_bytes(value).encode()]))
    return replace(wire, query=random.choice([b"&", b";", b"&&"]).join(pairs))


def _path(wire: Wire, sample: Any, random: Random) -> Wire:
    segments = wire.path.split(b"/")
    at = random.randrange(1, len(segments))
    segments[at] = random.choice(
        [_bytes(random)[:3_000], segments[at] + _bytes(random)[:20], segments[at].upper(), b"", b".."]
    )
    return replace(wire, path=b"/".join(segments))


def _method(wire: Wire, sample: Any, random: Random) -> Wire:
    return replace(wire, method=random.choice(METHODS))


def _length(wire: Wire, sample: Any, random: Random) -> Wire:
    said = [
        "-1",
        "0",
        "x",
        "",
        "1",
        str(len(wire.body) + 100),
        str(2**70),
        "+5",
        "1_0",
        "٣",
        "5, 6",
        " 7 ",
        "1e3",
        "0x10",
    ]
    return replace(wire, length=random.choice(said))


def _encoding(wire: Wire, sample: Any, random: Random) -> Wire:
    """Compressed, also what is a hundred megabytes when it is not."""
    kind, body = random.choice([
        ("gzip", gzip.compress(wire.body)), ("deflate", zlib.compress(wire.body)), ("gzip", bomb()), ("br", wire.body),
        ("gzip, gzip", gzip.compress(bomb())), ("identity", wire.body), ("x" * 200, wire.body),
    ])  # fmt: skip
    return replace(wire, body=body, headers={**wire.headers, "Content-Encoding": kind})


@cache
def bomb() -> bytes:
    return gzip.compress(b"[" * 100_000_000, 1)


def _json(wire: Wire, body: bytes) -> Wire:
    kind = wire.headers.get("Content-Type", "application/json")
    return replace(wire, body=body, headers={**wire.headers, "Content-Type": kind})
