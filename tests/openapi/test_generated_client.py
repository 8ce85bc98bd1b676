"""A client that a stock generator makes of the served document, against the running product."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.living import Live
from tests.fixtures.people import Member, item
from tests.fixtures.processes import until

BIN = Path(sys.executable).parent
NAME = "generated_client"
CONFIG = """\
content_type_overrides:  # the generator knows no others that carry bytes
  application/x-ndjson: application/octet-stream
  application/yaml: application/octet-stream
"""


pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the client sees no database


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the client is made, once."""
    return tmp_path_factory.mktemp("generated")


@pytest.fixture
def connect() -> Iterator[Callable[..., Any]]:
    """Makes clients: `connect(generated, live, cast.alice)`."""
    with ExitStack() as stack:

        def make(generated: Callable[[str], Any], live: Live, who: Member) -> Any:
            kind = generated("client").AuthenticatedClient
            return stack.enter_context(kind(base_url=f"{live.url}/api/v1", token=who.token))

        yield make


@pytest.fixture
def generated(live: Live, place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a module of the client's: `generated("api.items.submit_item")`."""
    if not (place / NAME).exists():
        generate(f"{live.url}/api/v1/openapi.json", place)
    monkeypatch.syspath_prepend(str(place))
    return lambda name: importlib.import_module(f"{NAME}.{name}")


def generate(address: str, place: Path) -> None:
    document, config = place / "openapi.json", place / "config.yml"
    with urllib.request.urlopen(address) as answer:
        document.write_bytes(answer.read())
    config.write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document), "--config", str(config),
         "--meta", "none", "--output-path", str(place / NAME), "--fail-on-warning"],
        capture_output=True, text=True, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


def test_it_submits_reads_lists_claims_decides_and_follows_the_feed(generated, connect, live, cast):
    program, alice = connect(generated, live, cast.submitter), connect(generated, live, cast.alice)
    models = generated("models")
    live.start("relay")

    sent = models.ItemRequest.from_dict(item(1, external_id="one"))
    stored = generated("api.items.submit_item").sync(client=program, body=sent, idempotency_key="one")
    assert isinstance(stored, models.Submission)
    assert stored.state is models.ItemState.QUEUED
    assert stored.routing.title == "Unsure"

    read = generated("api.items.read_item").sync(stored.id, client=program)
    assert (read.external_id, read.input_, read.resolution) == ("one", item(1)["input"], None)
    listed = generated("api.items.list_items").sync(client=program, queue="intents", limit=10)
    assert [one.id for one in listed.items] == [stored.id]
    assert listed.cursor is None

    claim = generated("api.claims.claim_in_queue").sync("intents", client=alice)
    assert isinstance(claim, models.Claim)
    assert claim.item.id == stored.id
    decision = models.DecisionRequest(output={"label": "refund"}, message="Money back.")
    decided = generated("api.claims.decide").sync(claim.claim.id, client=alice, body=decision)
    assert decided.decision.verdict is models.Verdict.OVERRIDE
    nothing = generated("api.claims.claim_in_queue").sync_detailed("intents", client=alice)
    assert nothing.status_code == 204

    answered = generated("api.items.read_item").sync(stored.id, client=program, wait=30)
    assert answered.resolution.output == {"label": "refund"}
    assert answered.resolution.message == "Money back."
    follow = generated("api.queues.list_resolutions").sync
    until(lambda: follow("intents", client=program).resolutions, seconds=60, what="the feed")
    feed = follow("intents", client=program)
    assert [entry.resolution for entry in feed.resolutions] == [answered.resolution]
    assert follow("intents", client=program, cursor=feed.cursor).resolutions == []


def test_it_gives_errors_types(generated, connect, live, cast):
    client = connect(generated, live, cast.submitter)
    models = generated("models")
    bad = models.ItemRequest.from_dict(item(1, output={"label": "nonsense"}))
    refused = generated("api.items.submit_item").sync(client=client, body=bad)
    assert isinstance(refused, models.InvalidProblem)
    assert (refused.status, refused.code) == (422, "invalid_item")
    assert [fault.pointer for fault in refused.errors] == ["/output/label"]
    forbidden = generated("api.claims.claim_anywhere").sync(client=client)
    assert isinstance(forbidden, models.Problem)
    assert (forbidden.status, forbidden.code) == (403, "forbidden")


def test_it_sends_streams_and_documents_that_are_no_json(generated, connect, live, cast):
    client = connect(generated, live, cast.submitter)
    file = generated("types").File
    found = generated("api.imports.import_items").sync(client=client, queue="intents", body=file(payload=b"{}\n"))
    assert found.lines == 1
