"""What decisions are worth by the order in which they are made: as items come, and by value. Needs no server.

    python examples/intent_loop/ordering.py --data PATH [--shifted]

The order by value is the product's own (`reviewqueue.intake.ordering`), told item by item as they come.
"""

from __future__ import annotations

import argparse
import bisect
import json
import runpy
from collections import defaultdict
from pathlib import Path
from typing import Any

from reviewqueue.intake.ordering import doubt_of, group_of, priority_of
from reviewqueue.intake.similar import similar_key

loop = runpy.run_path(str(Path(__file__).with_name("__main__.py")))


def by_value(predictions: list[dict[str, Any]], batch: int = 500) -> list[dict[str, Any]]:
    """As the queue's job puts them, `batch` items at a time; equal priorities stay in the order they came."""
    groups: dict[str, list[float]] = defaultdict(list)
    known: set[str | None] = set()
    placed: list[tuple[int, dict[str, Any]]] = []
    for start in range(0, len(predictions), batch):
        rows = []
        for row in predictions[start : start + batch]:
            group = group_of("choice", row["model"], row["model_version"], json.dumps({"label": row["label"]}))
            doubt = doubt_of(row["confidence"], json.dumps(row["alternatives"]))
            bisect.insort(groups[group], doubt)
            rows.append((row, group, doubt, similar_key(json.dumps({"text": row["text"]}))))
        for row, group, doubt, key in rows:
            before = bisect.bisect_left(groups[group], doubt)
            place = priority_of(before, len(placed) + len(rows), len(groups), known=key in known)
            placed.append((place, row))
            known.add(key)
    return [row for _, row in sorted(placed, key=lambda each: -each[0])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--shifted", action="store_true", help="the stream by groups of labels, so that it drifts")
    parser.add_argument("--decisions", type=int, nargs="+", default=[600, 1000, 1400])
    options = parser.parse_args()
    seed, test = (loop["labelled"](options.data / name) for name in ("seed.csv", "test.csv"))
    answers = {row["external_id"]: row["label"] for row in loop["lines"](options.data / "truth.jsonl")}
    stream = loop["lines"](options.data / "predictions.jsonl")
    if options.shifted:
        stream = loop["shifted"](stream, answers)
    for name, order in (("as they come", stream), ("by value", by_value(stream))):
        for number in options.decisions:
            learned = [(row["text"], answers[row["external_id"]]) for row in order[:number]]
            print(f"{name:13} {number:5,} decisions: {loop['accuracy'](seed + learned, test):.3f}", flush=True)


if __name__ == "__main__":
    main()
