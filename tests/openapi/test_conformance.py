"""What a stock tester for OpenAPI makes of the description: thousands of requests, right and wrong, against the product."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig

from tests.fixtures.people import Cast

CONFIG = None


def test_explore(app: Flask, cast: Cast) -> None:
    import time, collections, os
    from schemathesis.core.failures import FailureGroup, Failure
    from schemathesis.openapi import from_wsgi
    schema = from_wsgi("/api/v1/openapi.json", app)
    schema.config.generation.modes = list(GenerationMode)
    bad = collections.defaultdict(list); n = 0; t=time.time()
    out = open("/tmp/w/hostile/st.txt", "w")
    for result in schema.get_all_operations():
        op = result.ok()
        ran = []
        strategy = op.as_strategy(generation_mode=GenerationMode.POSITIVE) | op.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        from hypothesis import given, seed
        @seed(1)
        @settings(max_examples=int(os.environ.get("EACH", "10")), database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
        @given(case=strategy)
        def once(case):
            nonlocal n
            n += 1
            who = cast.alice if op.path.startswith(("/api/v1/claims", "/claims", "/decisions")) else cast.admin
            try:
                case.call_and_validate(headers=who.bearer)
            except FailureGroup as group:
                for e in group.exceptions:
                    bad[op.label, type(e).__name__, str(e)[:200]].append((case, e))
            except AssertionError as e:
                bad[op.label, "desc", str(e)[:200]].append((case, e))
        try:
            once()
        except BaseException as e:
            print(op.label, "BROKE", type(e), str(e)[:300], file=out)
    print(n, time.time()-t, file=out)
    for k, v in bad.items():
        case = v[0][0]
        print(k, len(v), case.method, case.path_parameters, case.query, case.headers, str(case.body)[:200], case.media_type, file=out)
    out.close()
