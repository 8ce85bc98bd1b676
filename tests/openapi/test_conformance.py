"""What a stock tester for OpenAPI makes of the description: requests that it allows and requests that it does not, sent
to the product, and every answer held against it. Where a path names something, every other request names what is there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from reviewqueue.core.http import API_PREFIX
from tests.architecture.test_authorisation_matrix import Targets
from tests.fixtures.people import Cast, Member

SEED, EACH = 15, 4
NOT_HELD_TO = {
    # Each item or line is told of by itself, in an answer of 200 or 202.
    "POST /items/batch": [negative_data_rejection],
    # As well; and a schema cannot say that a body is compressed as its header says.
    "POST /imports": [negative_data_rejection, positive_data_acceptance],
}


@schemathesis.serializer("application/x-ndjson")
def _lines(context: Any, value: Any) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in (value if isinstance(value, list) else [value]))


def requests_of(operation: Any, most: int) -> Iterator[Case]:
    """So many right ones and so many wrong ones, the same each time."""
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        yield from drawn(operation.as_strategy(generation_mode=mode), most)


def drawn(strategy: Any, most: int) -> list[Case]:
    found: list[Case] = []

    @seed(SEED)
    @settings(max_examples=most, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=strategy)
    def collect(case: Case) -> None:
        found.append(case)

    with suppress(Unsatisfiable):  # nothing can be wrong about a request that has neither parameters nor a body
        collect()
    return found


def who_is_let(cast: Cast, path: str) -> Member:
    return cast.alice if path.removeprefix(API_PREFIX).startswith(("/claims", "/decisions")) else cast.admin


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # both are in the tests of each operation
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_every_answer_is_as_described_whatever_is_sent(app: Flask, cast: Cast) -> None:
    schema = schemathesis.openapi.from_wsgi(f"{API_PREFIX}/openapi.json", app)
    schema.config.generation.update(with_security_parameters=False)
    # What a queue's own schema, or its state, does not allow is 422 as well.
    allowed = schema.config.checks.positive_data_acceptance
    allowed.expected_statuses = [*allowed.expected_statuses, "422"]
    answered: Counter[int] = Counter()
    faults: Counter[str] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        who = who_is_let(cast, operation.path)
        there = Targets(app, cast, app.test_client(), who)
        names = re.findall(r"{(\w+)}", operation.path)
        there.path("".join(f"<{name}>" for name in names))
        for number, case in enumerate(requests_of(operation, EACH)):
            if number % 2 and number < EACH:
                case.path_parameters = {name: getattr(there, name)() for name in names}
            excluded = NOT_HELD_TO.get(operation.label, [])
            try:
                answered[case.call_and_validate(headers=who.bearer, excluded_checks=excluded).status_code] += 1
            except FailureGroup as group:
                for fault in group.exceptions:
                    faults[f"{operation.label}: {fault}\n{case.as_curl_command()}"[:2_000]] += 1
    assert not faults, "\n\n".join(faults)
    assert answered[200] > 20
    assert answered[422] > 20
