"""The dashboard and the rules in `deploy/` ask for metrics that there are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from reviewqueue.insights import metrics

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")


def expressions() -> Iterator[str]:
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"], rule["alert"]
            assert rule["labels"]["severity"] in {"critical", "warning", "info"}
            yield rule["expr"]
    dashboard = json.loads((DEPLOY / "grafana" / "reviewqueue.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def asked() -> dict[str, set[str]]:
    """Metrics that are asked for, each with the labels that it must have."""
    found: dict[str, set[str]] = {}
    for expression in expressions():
        for name, labels in re.findall(r"(reviewqueue_\w+)(?:\{([^}]*)\})?", expression):
            found.setdefault(name, set()).update(re.findall(r"(\w+)[!=]", labels))
    return found


def told(text: str) -> dict[str, Any]:
    families = list(text_string_to_metric_families(text))
    names = {sample.name for family in families for sample in family.samples}
    return {"samples": names, "families": {family.name for family in families}}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_asked_for_is_told_and_described(client, cast, watcher):
    metrics.forget()
    client.get("/healthz")
    found = told(client.get("/metrics", headers=watcher).text)
    there = {*found["samples"], *found["families"]}
    assert set(asked()) <= there
    described = DOCUMENT.read_text()
    names = {re.sub("_(bucket|count|sum|created)$", "", name) for name in there if name.startswith("reviewqueue_")}
    names = {f"{name}_total" if name.endswith("http_requests") else name for name in names}
    assert {name for name in names if f"`{name}`" not in described} == set()


def test_a_label_that_is_asked_for_is_one_that_the_metric_has():
    lines = re.findall(r"^\| (`reviewqueue_.*?) \| (.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    words = re.compile(r"`(\w+)`")
    has = {name: set(words.findall(labels)) for names, labels in lines for name in words.findall(names)}
    for name, labels in asked().items():
        assert labels - {"le"} <= has[re.sub("_bucket$", "", name)], name


@pytest.mark.skipif(PROMTOOL is None, reason="PROMETHEUS RULES NOT TRIED: no promtool on the PATH or in PROMTOOL")
def test_prometheus_takes_the_rules(tmp_path):
    shutil.copytree(DEPLOY / "prometheus", tmp_path / "deploy")
    configuration = tmp_path / "deploy" / "prometheus.yml"
    configuration.write_text(
        configuration.read_text().replace("/etc/prometheus/reviewqueue-token", str(tmp_path / "t"))
    )
    (tmp_path / "t").write_text("rq_0.x")
    done = subprocess.run([str(PROMTOOL), "check", "config", str(configuration)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rules: list[dict[str, str]] = []
    for number, expression in enumerate(expressions()):
        plain = expression.replace("$queue", ".*")
        rules.append({"record": f"panel_{number}", "expr": plain})
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([str(PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
