"""Sample items of the queues that label, compare and rewrite, written for this project. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SURVEY = [
    ("The app is lovely, but I pay more at cash machines abroad than with my old bank.", 6, {"app": 0.93, "price": 0.48}, {"fees_abroad": 0.41}),
    ("Your people on the phone are kind. It took three calls, though.", 7, {"staff": 0.9, "speed": 0.55}, {"nothing_said": 0.02}),
    ("ok", 8, {"app": 0.22}, {"nothing_said": 0.6}),
    ("I feel safe since I can lock the card myself in the app.", 9, {"security": 0.88, "card": 0.57, "app": 0.71}, {"staff": 0.03}),
    ("Too dear for what it does, and the new card has not come for weeks.", 2, {"price": 0.95, "card": 0.52}, {"speed": 0.5}),
    ("Transfers arrive in seconds. Why is a paper statement five euros?", 6, {"speed": 0.86, "fees_abroad": 0.3}, {"price": 0.58}),
]  # fmt: skip


def survey() -> Iterator[dict[str, Any]]:
    """Items of `survey-topics`."""
    for number, (answer, score, topics, others) in enumerate(_SURVEY, start=1):
        yield {
            "queue": "survey-topics", "external_id": f"survey-{number:04}", "input": {"answer": answer, "score": score},
            "output": {"topics": list(topics)}, "confidence": min(topics.values()),
            "parts": [{"pointer": f"/topics/{at}", "confidence": sure} for at, sure in enumerate(topics.values())],
            "alternatives": [{"output": {"topics": [topic]}, "confidence": sure} for topic, sure in others.items()],
            "model": "topics", "model_version": "2",
        }  # fmt: skip
