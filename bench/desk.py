"""The reviewer's wait: Chromium decides item after item, with a great many waiting."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text

from bench import painting

FILL = (
    """
    INSERT INTO item (id, queue_id, config_version, state, revision, round, body_sha256, input, output, confidence,
        risk, model, model_version, metadata, test, rule, rule_title, action, priority, audit_sample, probability,
        submitted_by, created_at, due_at)
    SELECT gen_random_uuid(), :queue_id, 1, 'queued', 0, 1, repeat('0', 64), :input, :output, 0.4, 'low', 'm', '1',
        '{}', false, 2, 'Unsure', 'review', 0, false, 1.0, 'service:bench', now(), now() + n * interval '1 second'
    FROM generate_series(1, :waiting) AS n
    """,
    """
    INSERT INTO task (id, item_id, queue_id, config_version, round, kind, state, audience, priority, due, available_at,
        created_at, excluded, lane, fence)
    SELECT gen_random_uuid(), id, queue_id, 1, 1, 'review', 'open', 'reviewer', 0, due_at, now(), now(), '[]', '', 0
    FROM item WHERE state = 'queued'
    """,
)
"""On PostgreSQL the rows are made where they are kept: a million in a minute."""
INPUT = {"text": "My card was to come last week and has not. Could you tell me where it is, and send another? " * 2}


def fill(bench: Any, waiting: int) -> None:
    """`waiting` items wait for a person, and nothing else does."""
    from reviewqueue.core.db import db

    bench.fill(0)
    with bench.app.app_context(), db.engine.begin() as connection:
        queue_id = connection.scalar(text("SELECT id FROM queue"))
        values = {"queue_id": queue_id, "input": json.dumps(INPUT), "output": json.dumps({"label": "label_03"})}
        for statement in FILL:
            wanted = {**values, "waiting": waiting} if ":waiting" in statement else {}
            connection.execute(text(statement), wanted)
    with bench.app.app_context(), db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def measure(bench: Any, *, waiting: int, decisions: int) -> None:
    """p50 and p95 from the keystroke to the next item painted, by the browser's own clock."""
    from playwright.sync_api import sync_playwright

    from tests.fixtures import browser

    if bench.url.startswith("sqlite"):
        waiting = min(waiting, 100_000)
        bench.fill(waiting)
    else:
        fill(bench, waiting)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.chromium(), args=browser.FLAGS)
        page = chromium.new_page(
            base_url=f"http://127.0.0.1:{bench.product.port}", viewport={"width": 1440, "height": 900}
        )
        page.goto("/login")
        page.fill("[name=email]", "r0@example.com")
        page.fill("[name=password]", "bench-password")
        page.press("[name=password]", "Enter")
        page.wait_for_selector("#start")
        page.keyboard.press("Enter")
        page.wait_for_selector("main.desk")
        page.evaluate(painting.WATCH)
        before = bench.product.cpu_seconds()
        for number in range(decisions + 20):
            page.wait_for_function("() => !document.body.matches('.fresh')")
            page.keyboard.press("Enter")
            page.wait_for_function(f"() => window.waits.length > {number}")
        waits = page.evaluate("window.waits")[20:]
        processor = 1000 * (bench.product.cpu_seconds() - before) / (decisions + 20)
        chromium.close()
    half, most = painting.percentiles(waits)
    bench.results["desk"] = {
        "waiting": waiting,
        "decisions": len(waits),
        "p50_ms": half,
        "p95_ms": most,
        "waits": waits,
    }
    print(f"  desk, {waiting:,} waiting: {painting.told(waits)}, {processor:.1f} ms of processor")
