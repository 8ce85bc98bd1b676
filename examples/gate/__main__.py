"""Drafts replies to customers; a person sees those that the queue's rules pick before they are sent."""

import os
import sys

from reviewqueue_client import Rejected, WaitTimeout, gate

QUEUE = os.environ.get("QUEUE", "reply-drafts")
SECONDS = float(os.environ.get("WAIT_SECONDS", "600"))


@gate(queue=QUEUE, confidence=lambda draft: 0.6 if "?" in draft["reply"] else 0.9, timeout=SECONDS, model="templates")
def draft(question: str) -> dict[str, str]:
    if "refund" in question.lower():
        return {"reply": "We refund you within three days. Which purchase is it?"}
    return {"reply": "Thank you for your message. You find the answer in the app under Help."}


def main(questions: list[str]) -> int:
    for question in questions or ["How do I change my address?", "I want a refund."]:
        print(f"Customer: {question}", flush=True)
        try:
            print(f"Reply:    {draft(question)['reply']}")
        except Rejected as error:
            print(f"Not sent: {error.message or error.reason}")
        except WaitTimeout as error:
            print(f"Nobody looked within {SECONDS:.0f} seconds; it waits as item {error.item.id}.")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
