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

_ANSWERS = [
    ("Why is the sky blue?", ["Because the air scatters short waves, blue light, more than long ones, and so blue reaches us from all sides.", "The sky is blue because it mirrors the sea."], 0),
    ("How do I take the square root of 2 by hand?", ["Guess 1.5. Take the mean of the guess and 2 divided by it: 1.4167. Once more: 1.4142. Each step doubles the digits that are right.", "Square roots of numbers that are no squares cannot be taken by hand. Use a calculator, or look it up in a table, which every good library has, and where you will find it to as many digits as you like.", "It is about 1.41."], None),
    ("Can I freeze cooked rice?", ["Yes, for a month. Cool it fast, within an hour, and freeze it in flat portions.", "Yes! Rice is a wonderful thing, and freezing it is a wonderful idea. Leave it out over night so that it is quite cold, then freeze it."], 1),
    ("What is a lease?", ["A contract by which one lets another use a thing for some time and for a price.", "A contract to use somebody else's thing for a time, for money, like a flat or a car."], None),
]  # fmt: skip

_TOOLS = [
    {"name": "refund", "description": "Pay money back", "parameters": {"type": "object", "required": ["payment", "amount"], "properties": {"payment": {"type": "string"}, "amount": {"type": "number"}, "reason": {"enum": ["double", "faulty", "goodwill"]}}}},
    {"name": "block_card", "description": "Block a card", "parameters": {"type": "object", "required": ["last_four"], "properties": {"last_four": {"type": "string"}, "send_new": {"type": "boolean"}}}},
]  # fmt: skip
_CONVERSATIONS: list[tuple[list[tuple[str, str]], str | None, list[tuple[str, dict[str, Any]]], dict[str, float]]] = [
    ([("user", "You took 49.90 twice for my order, payments P-771 and P-772."), ("assistant", "I am sorry. May I pay one of them back?"), ("user", "Yes, please, the second one.")],
     "Done: 49.90 is on its way back to you and arrives within three days.", [("refund", {"payment": "P-771", "amount": 49.9, "reason": "double"})], {"/tool_calls/0/args/payment": 0.38, "/tool_calls/0/args/amount": 0.97}),
    ([("user", "I left my card in a taxi. It ends in 4410. I am at home until Friday.")],
     "I have blocked the card that ends in 4410. A new one comes **before Friday**.", [("block_card", {"last_four": "4401", "send_new": True})], {"/tool_calls/0/args/last_four": 0.44, "/content": 0.6}),
    ([("user", "Is there anything you can do about the fee? It was your fault.")], "Fees are in the terms.", [], {"/content": 0.35}),
]  # fmt: skip

_NOTES = [
    ("Called Ms Lindqvist on 3 October about order 44-210. She lives at 12 Mill Lane, Hove now and will tell Brightwater Energy herself. 👍",
     [("Lindqvist", "person", 0.52), ("3 October", "date", 0.97), ("44-210", "number", 0.9), ("Mill Lane", "address", 0.41)]),
    ("Dr. Osei says that the roof was mended by Müller & Söhne in August; the bill, M-204, went to his sister Ama.",
     [("Dr. Osei", "person", 0.93), ("Müller", "person", 0.38), ("August", "date", 0.81), ("M-204", "number", 0.77)]),
    ("No answer. Try again after the holidays.", []),
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


def answers() -> Iterator[dict[str, Any]]:
    """Items of `answer-pairs`; some with what a judging model prefers."""
    for number, (question, texts, best) in enumerate(_ANSWERS, start=1):
        ids = [f"{number}-{at}" for at in range(len(texts))]
        models = ["writer-4", "writer-3", "writer-small"]
        yield {
            "queue": "answer-pairs", "external_id": f"pair-{number:04}", "model": "judge", "model_version": "1",
            "input": {"question": question, "candidates": [
                {"id": known, "output": text, "model": model} for known, text, model in zip(ids, texts, models, strict=False)
            ]},
            "output": None if best is None else {"best": ids[best]}, "confidence": None if best is None else 0.64,
        }  # fmt: skip


def conversations() -> Iterator[dict[str, Any]]:
    """Items of `agent-replies`."""
    for number, (turns, reply, calls, doubts) in enumerate(_CONVERSATIONS, start=1):
        output: dict[str, Any] = {"content": reply}
        if calls:
            output["tool_calls"] = [{"name": name, "args": arguments} for name, arguments in calls]
        yield {
            "queue": "agent-replies", "external_id": f"talk-{number:04}", "model": "agent", "model_version": "5",
            "input": {"messages": [{"role": role, "content": text} for role, text in turns], "tools": _TOOLS},
            "output": output, "confidence": min(doubts.values()),
            "parts": [{"pointer": pointer, "confidence": sure} for pointer, sure in doubts.items()],
        }  # fmt: skip


def notes() -> Iterator[dict[str, Any]]:
    """Items of `names-in-notes`."""
    for number, (note, names) in enumerate(_NOTES, start=1):
        places = [(note.index(words), words, label) for words, label, _ in names]
        yield {
            "queue": "names-in-notes", "external_id": f"note-{number:04}", "input": {"note": note},
            "output": {"names": [{"start": at, "end": at + len(words), "label": label} for at, words, label in places]},
            "parts": [{"pointer": f"/names/{at}", "confidence": sure} for at, (_, _, sure) in enumerate(names)],
            "model": "names", "model_version": "8",
        }  # fmt: skip
