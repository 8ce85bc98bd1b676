"""Submit a classifier's outputs, review the unsure ones, export the corrections, retrain, compare. See README.md."""

from __future__ import annotations

import argparse
import csv
import json
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Api:
    """The public REST API with one token; one connection a thread, requests repeated when the line breaks."""

    def __init__(self, url: str, token: str) -> None:
        self._address = urlsplit(url)
        self._token = token
        self._local = threading.local()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and answer. Repeating is safe: submissions carry a key, decisions their claim's fence."""
        payload = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **headers}
        for attempt in range(60):
            try:
                connection = self._connection()
                connection.request(method, "/api/v1" + path, payload, sent)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, HTTPException):
                self._local.connection = None
                time.sleep(min(2, 0.1 * 2**attempt))
                continue
            if answer.status in {429, 503} or (answer.status == 409 and b'"in_flight"' in text):
                time.sleep(float(answer.headers.get("Retry-After", 0.2)))
                continue
            kind = answer.headers.get("Content-Type", "")
            return answer.status, json.loads(text) if "json" in kind and text and "ndjson" not in kind else text
        sys.exit(f"{self._address.geturl()} does not answer.")

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer; leaves with the problem's detail when it is none."""
        status, answer = self.call(method, path, body, **headers)
        if status >= 400:
            sys.exit(f"{method} {path}: {status} {answer}")
        return answer

    def _connection(self) -> HTTPConnection:
        if getattr(self._local, "connection", None) is None:
            self._local.connection = HTTPConnection(self._address.hostname or "", self._address.port or 80, timeout=60)
        connection: HTTPConnection = self._local.connection
        return connection


def main() -> None:
    options = arguments()
    data = Path(options.data)
    seed, test = labelled(data / "seed.csv"), labelled(data / "test.csv")
    predictions, truth = lines(data / "predictions.jsonl"), lines(data / "truth.jsonl")
    answers = {row["external_id"]: row["label"] for row in truth}
    if options.shifted:
        predictions = shifted(predictions, answers)

    service = Api(
        options.url,
        command("tokens", "create", "intent-loop", *scopes("items:write", "items:read", "exports", "queues:write")),
    )
    labels = sorted({label for _, label in seed} | {row["label"] for row in predictions} | set(answers.values()))
    service.ok("PUT", f"/queues/{options.queue}", configuration(options, labels))
    started = time.monotonic()
    submit_all(service, options.queue, predictions)
    submitted = time.monotonic()
    print(f"Submitted {len(predictions):,} items in {submitted - started:.1f} s.")

    reviewers = [Api(options.url, token) for token in hire(options)]
    decided = review(reviewers, options, answers)
    reviewed = time.monotonic()
    print(f"{len(reviewers)} reviewers made {len(decided):,} decisions in {reviewed - submitted:.1f} s.")

    states = account(service, options.queue)
    records = export(service, options.queue)
    report = judge(predictions, decided, states, records, seed, test)
    report |= estimated(predictions, answers, records)
    report |= advised(service, options, predictions, answers, records)
    if options.out:
        Path(options.out).write_text(json.dumps(report, indent=2) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="intent_loop", description=__doc__)
    parser.add_argument("--data", required=True, help="folder with predictions.jsonl, truth.jsonl, seed.csv, test.csv")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--queue", default="intents")
    parser.add_argument("--threshold", type=float, default=0.5, help="review below this confidence (default 0.5)")
    parser.add_argument("--audit-rate", type=float, default=0.1, help="share of the rest reviewed all the same")
    parser.add_argument("--reviewers", type=int, default=4, help="how many work at the same time")
    parser.add_argument("--stop-after", type=int, default=2000, help="decisions altogether; the rest goes on waiting")
    parser.add_argument("--order", choices=("due", "value"), default="due", help="what is reviewed first")
    parser.add_argument("--shifted", action="store_true", help="the stream by groups of labels, so that it drifts")
    parser.add_argument("--promise", type=float, default=0.1, help="of what passes, the share that may be wrong")
    parser.add_argument("--out", help="write the figures to this file, as JSON")
    return parser.parse_args()


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def labelled(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def shifted(predictions: list[dict[str, Any]], answers: dict[str, str]) -> list[dict[str, Any]]:
    """The stream by groups of what customers really want: a quarter of the labels comes after the other."""
    labels = sorted(set(answers.values()))
    group = {label: 4 * place // len(labels) for place, label in enumerate(labels)}
    return sorted(predictions, key=lambda row: group[answers[row["external_id"]]])


# -- people and the queue ---------------------------------------------------------------------------------------------


def command(*words: str, stdin: str | None = None) -> str:
    """Run the `reviewqueue` command and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "reviewqueue.cli", *words], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"reviewqueue {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def scopes(*names: str) -> list[str]:
    return [word for name in names for word in ("--scope", name)]


def hire(options: argparse.Namespace) -> list[str]:
    """Create the reviewers and return a personal token of each."""
    tokens = []
    for number in range(1, options.reviewers + 1):
        email = f"reviewer-{secrets.token_hex(3)}-{number}@example.com"
        command("users", "create", email, "--role", "member", "--password-stdin", stdin=secrets.token_urlsafe(16))
        command("members", "add", options.queue, email, "--role", "reviewer")
        tokens.append(command("tokens", "create", "intent-loop", "--user", email, *scopes("review")))
    return tokens


def configuration(options: argparse.Namespace, labels: list[str]) -> dict[str, Any]:
    return {
        "name": options.queue,
        "title": "Customer intents",
        "instructions": "Pick what the customer wants. When two fit, the more specific.",
        "input_schema": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
        "output_schema": {"type": "object", "required": ["label"], "properties": {"label": {"enum": labels}}},
        "routing": {
            "rules": [{"when": f"confidence < {options.threshold}", "action": "review", "title": "Unsure"}],
            "otherwise": "auto_approve",
        },
        "audit": {"rate": options.audit_rate},
        "order": options.order,
    }


# -- the loop ---------------------------------------------------------------------------------------------------------


def submit_all(service: Api, queue: str, predictions: list[dict[str, Any]]) -> None:
    def submit(row: dict[str, Any]) -> None:
        item = {
            "queue": queue, "external_id": row["external_id"], "input": {"text": row["text"]},
            "output": {"label": row["label"]}, "confidence": row["confidence"], "model": row["model"],
            "model_version": row["model_version"],
            "alternatives": [
                {"output": {"label": other["label"]}, "confidence": other["confidence"]}
                for other in row["alternatives"]
            ],
        }  # fmt: skip
        service.ok("POST", "/items", item, **{"Idempotency-Key": row["external_id"]})

    with ThreadPoolExecutor(8) as pool:
        for number, _ in enumerate(pool.map(submit, predictions), start=1):
            if number % 500 == 0:
                print(f"  {number:,} submitted", file=sys.stderr)


def review(reviewers: list[Api], options: argparse.Namespace, answers: dict[str, str]) -> list[str]:
    """All reviewers at once, until `stop_after` decisions or nothing waits. Returns the task of each decision."""
    decided: list[str] = []
    places = threading.Semaphore(options.stop_after)

    def work(reviewer: Api) -> None:
        path = f"/queues/{options.queue}/claims"
        status, piece = reviewer.call("POST", path)
        while status == 201 and places.acquire(blocking=False):
            label = answers[piece["item"]["external_id"]]
            decision = {"output": {"label": label}, "spent_seconds": 1.0}
            claim = piece["claim"]["id"]
            status, answer = reviewer.call("POST", f"/claims/{claim}/decision", decision)
            if status == 200:
                decided.append(answer["decision"]["task"])
            else:
                places.release()
            status, piece = reviewer.call("POST", path)
        if status == 201:
            reviewer.ok("POST", f"/claims/{piece['claim']['id']}/release")

    with ThreadPoolExecutor(len(reviewers)) as pool:
        list(pool.map(work, reviewers))
    return decided


def account(service: Api, queue: str) -> Counter[str]:
    """How many items are in each state, counted by reading every one."""
    states: Counter[str] = Counter()
    cursor = ""
    while True:
        page = service.ok("GET", f"/items?queue={queue}&limit=1000" + (f"&cursor={cursor}" if cursor else ""))
        states.update(item["state"] for item in page["items"])
        cursor = page["cursor"]
        if not cursor:
            return states


def export(service: Api, queue: str) -> list[dict[str, Any]]:
    """The feedback records of all that people decided."""
    wanted = service.ok("POST", "/exports", {"queue": queue, "format": "jsonl"})
    while wanted["state"] not in {"ready", "failed", "cancelled"}:
        time.sleep(0.3)
        wanted = service.ok("GET", f"/exports/{wanted['id']}")
    if wanted["state"] != "ready":
        sys.exit(f"The export {wanted['state']}: {wanted}")
    records = []
    for file in wanted["files"]:
        if file["name"].endswith(".jsonl"):
            text = service.ok("GET", f"/exports/{wanted['id']}/files/{file['name']}")
            records += [json.loads(line) for line in text.splitlines()]
    return records


# -- what it was worth ------------------------------------------------------------------------------------------------


def judge(
    predictions: list[Any], decided: list[str], states: Counter[str],
    records: list[dict[str, Any]], seed: list[tuple[str, str]], test: list[tuple[str, str]],
) -> dict[str, Any]:  # fmt: skip
    corrected = [
        (record["input"]["text"], record["resolution"]["output"]["label"])
        for record in records
        if record["resolution"]["verdict"] != "reject"
    ]
    audits = sum(record["sampling"]["audit_sample"] for record in records)
    before, after = accuracy(seed, test), accuracy(seed + corrected, test)
    changed = sum(record["resolution"]["verdict"] in {"edit", "override"} for record in records)
    waiting = sum(count for state, count in states.items() if state in {"queued", "in_review"})
    report = {
        "submitted": len(predictions), "states": dict(states), "accounted_for": sum(states.values()),
        "decisions": len(decided), "decided_twice": len(decided) - len(set(decided)), "waiting": waiting,
        "exported": len(records), "audit_samples_decided": audits, "changed_by_people": changed,
        "accuracy_before": round(before, 4), "accuracy_after": round(after, 4),
        "decisions_per_point": round(len(decided) / (100 * (after - before)), 1) if after > before else None,
    }  # fmt: skip
    print(f"Items: {sum(states.values()):,} of {len(predictions):,} accounted for: "
          + ", ".join(f"{count:,} {state}" for state, count in sorted(states.items())) + ".")  # fmt: skip
    print(f"Tasks decided twice: {report['decided_twice']}. Audit samples among the decided: {audits}.")
    print(f"Exported {len(records):,} records; people changed the model's output in {changed:,}.")
    print(
        f"Test accuracy: {before:.3f} before, {after:.3f} after {len(decided):,} decisions "
        + (f"({each:,} a percentage point)." if (each := report["decisions_per_point"]) else "(no better).")
    )
    return report


def estimated(
    predictions: list[Any], answers: dict[str, str], records: list[dict[str, Any]]
) -> dict[str, Any]:  # fmt: skip
    """How often the model is wrong: counted in the records as they are, weighted, and in truth."""
    wrong = [record["resolution"]["verdict"] != "approve" for record in records]
    weights = [record["sampling"]["weight"] for record in records]
    naive = sum(wrong) / max(1, len(records))
    weighted = sum(w * bad for w, bad in zip(weights, wrong, strict=True)) / max(1e-9, sum(weights))
    true = sum(row["label"] != answers[row["external_id"]] for row in predictions) / len(predictions)
    print(f"The model is wrong in {true:.1%}; in {naive:.1%} of the records, {weighted:.1%} of them weighted.")
    return {"error_true": round(true, 4), "error_naive": round(naive, 4), "error_weighted": round(weighted, 4)}


def advised(
    service: Api, options: argparse.Namespace, predictions: list[Any], answers: dict[str, str],
    records: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """The threshold that the product advises, and what it would do to the items that nobody has seen."""
    found = service.ok("GET", f"/queues/{options.queue}/advice?error={options.promise}")
    said, missing = found["advice"], found["missing"]
    if said is None:
        print(f"No threshold is shown to keep errors to {options.promise:.0%}."
              + (f" {missing['audits']:,} more judged at {missing['threshold']:g} and above might." if missing else "")
        )  # fmt: skip
        return {"advice": None, "missing": missing}
    seen = {record["external_id"] for record in records}
    rest = [row for row in predictions if row["external_id"] not in seen]
    passing = [row for row in rest if row["confidence"] >= said["threshold"]]
    wrong = sum(row["label"] != answers[row["external_id"]] for row in passing)
    true = wrong / max(1, len(passing))
    print(f"Advice: pass at {said['threshold']:g} and above, at most {options.promise:.0%} wrong "
          f"(estimated {said['error']:.1%}, at most {said['at_most']:.1%}).")  # fmt: skip
    print(f"Of the {len(rest):,} items that nobody has seen, {len(passing):,} would pass, {true:.1%} of them wrong: "
          f"{len(passing) / max(1, len(rest)):.0%} of the decisions saved.")  # fmt: skip
    return {
        "advice": said["threshold"], "promised": options.promise, "estimated": said["error"],
        "at_most": said["at_most"], "rest": len(rest), "rest_passing": len(passing), "rest_error": round(true, 4),
    }  # fmt: skip


def accuracy(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> float:
    """Share of the test set that TF-IDF and logistic regression, trained on `train`, get right."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=2000, C=30)
    )
    texts, labels = zip(*train, strict=True)
    model.fit(texts, labels)
    return float(model.score(*zip(*test, strict=True)))


if __name__ == "__main__":
    main()
