"""Whether one configuration lets people see less than another, or ask less of them. Pure.

What is compared here is known never to lower review where nothing is said of it; whatever cannot be proved not to
lower it counts as lowering. The proof for routing: each old rule is found again, in order, as strict or stricter, and
whatever stands between them sends items to people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from reviewqueue.models.states import RoutingAction
from reviewqueue.queues.configuration import QueueConfig, Routing, Rule

NEVER_LOWERS = frozenset(
    {
        "name", "title", "instructions", "owner_team", "order", "sla", "lease_minutes", "undo_seconds", "retention",
        "content_warning", "fairness", "baseline", "value",
    }
)  # fmt: skip
"""What a reader is told, when work is due, how long things are kept, and what insight reckons with."""


def lowers(old: QueueConfig, new: QueueConfig) -> list[str]:
    """In what `new` may lower review below `old`, as the places in the document; empty where it surely does not."""
    found = [*_routing(old.routing, new.routing)]
    for name in QueueConfig.model_fields:
        if name in NEVER_LOWERS or name == "routing":
            continue
        before, after = getattr(old, name), getattr(new, name)
        if before != after and not _RAISES.get(name, _never)(before, after):
            found.append(name)
    return found


def _never(_before: Any, _after: Any) -> bool:
    return False


def _all(*rules: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda before, after: all(rule(before, after) for rule in rules)


def _same(name: str) -> Callable[[Any, Any], bool]:
    return lambda before, after: getattr(before, name) == getattr(after, name)


def _no_less(name: str) -> Callable[[Any, Any], bool]:
    return lambda before, after: getattr(after, name) >= getattr(before, name)


def _may_begin(rule: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """What there was not may begin; what there was keeps to `rule`, and does not end."""
    return lambda before, after: before is None or (after is not None and rule(before, after))


def _may_end(rule: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda before, after: after is None or (before is not None and rule(before, after))


def _timeout(before: Any, after: Any) -> bool:
    # One that approves counts in either direction: what it does is done without a person.
    return bool(before.action == after.action != "approve" and after.after_hours >= before.after_hours)


def _max_waiting(before: Any, after: Any) -> bool:
    return bool((before.then, before.to) == (after.then, after.to) and after.tasks >= before.tasks)


def _reasons(before: Any, after: Any) -> bool:
    now = {reason.code: reason for reason in after}
    return all(
        one.code in now
        and set(one.required_for) <= set(now[one.code].required_for)
        and one.note_required <= now[one.code].note_required
        for one in before
    )


def _agree_on(before: Any, after: Any) -> bool:
    return bool(before.agree_on == after.agree_on or not after.agree_on)


def _calibration(before: Any, after: Any) -> bool:
    return bool(after.gold >= before.gold and after.correct >= before.correct)


def _bar(before: Any, after: Any) -> bool:
    return bool(after.correct >= before.correct and after.after <= before.after)


def _part(name: str, rule: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda before, after: rule(getattr(before, name), getattr(after, name))


_REVIEWS = _all(
    _no_less("required"), _agree_on, _same("on_disagreement"), _no_less("second_look"), _no_less("blind"),
    _no_less("gold"),
    lambda before, after: before.agreement == after.agreement or after.agreement == "unanimous",
    lambda before, after: before.adjudicator == after.adjudicator or after.adjudicator == "lead",
    _part("calibration", _may_begin(_calibration)),
    _part("bar", _may_begin(_bar)),
    _part("newcomers", _may_begin(_all(_no_less("first"), _no_less("second_look")))),
)  # fmt: skip
_RAISES: dict[str, Callable[[Any, Any], bool]] = {
    "audit": _all(_no_less("rate"), lambda before, after: after.hold >= before.hold),
    "models": _may_begin(lambda before, after: set(after.approved) <= set(before.approved)),
    "on_invalid_output": lambda _before, after: after == "review",
    "reviews": _REVIEWS,
    "timeout": _may_end(_timeout),
    "max_waiting": _may_end(_max_waiting),
    "duplicates": _may_end(lambda before, after: after.within_days <= before.within_days),
    "send_to": lambda before, after: set(after) <= set(before),
    "reasons": _reasons,
    "alerts": lambda before, after: all(alert in after for alert in before),
    "doubtful_below": lambda before, after: after >= before,
    "two_persons": lambda _before, after: bool(after),
    "sensitive": lambda before, after: set(before.parts) <= set(after.parts) and after.ask_why >= before.ask_why,
}
"""Of a value that changed, whether it surely lowers nothing. What is not here does whenever it changes: the schemas and
the view, by which people see and answer, and who is beyond the leads."""


# -- routing ----------------------------------------------------------------------------------------------------------


def _routing(old: Routing, new: Routing) -> Iterator[str]:
    if new.otherwise is not old.otherwise and new.otherwise is not RoutingAction.REVIEW:
        yield "routing.otherwise"
    left = list(old.rules)
    for number, rule in enumerate(new.rules):
        rest = [*new.rules[number + 1 :]]
        while left and not _keeps(rule, left, rest, new.otherwise) and _may_go(left[0], [rule, *rest], new.otherwise):
            left.pop(0)
        if left and _keeps(rule, left, rest, new.otherwise):
            left.pop(0)
        elif rule.action is not RoutingAction.REVIEW or rule.extra_reviews < _most_extra(left):
            yield "routing.rules"
            return
    while left and _may_go(left[0], [], new.otherwise):
        left.pop(0)
    if left:
        yield "routing.rules"


def _most_extra(rules: Sequence[Rule]) -> int:
    return max((rule.extra_reviews for rule in rules), default=0)


def _keeps(rule: Rule, left: Sequence[Rule], rest: Sequence[Rule], otherwise: RoutingAction) -> bool:
    """Whether `rule` is the first of the old ones that are left, or stricter."""
    old = left[0]
    if rule.extra_reviews < old.extra_reviews:
        return False
    if rule.when == old.when:
        return rule.action in (old.action, RoutingAction.REVIEW)
    if rule.action is not old.action:
        return False
    if rule.action is RoutingAction.REVIEW:
        # It takes more items, also from the rules behind it.
        return _wider(old.when, rule.when) and rule.extra_reviews >= _most_extra(left)
    # What it passes no more falls to the rules behind it, of which none may turn it away unseen.
    unseen = RoutingAction.REFUSE in {otherwise, *(each.action for each in rest)}
    return rule.action is RoutingAction.AUTO_APPROVE and _wider(rule.when, old.when) and not unseen


def _may_go(old: Rule, rest: Sequence[Rule], otherwise: RoutingAction) -> bool:
    """Whether a rule that let no one see items may go: where everything from here on sends them to people."""
    goes_to_people = {otherwise, *(rule.action for rule in rest)} == {RoutingAction.REVIEW}
    # Where it could not be evaluated it asked for its own extra reviews.
    return old.action is not RoutingAction.REVIEW and not old.extra_reviews and goes_to_people


_BAR = re.compile(r"\s*(confidence|lowest_part)\s*(<=|<|>=|>)\s*(\d+(?:\.\d+)?)\s*")


def _wider(narrow: str, wide: str) -> bool:
    """Whether all that `narrow` is true of `wide` is true of, too: the same comparison with one number."""
    first, second = _BAR.fullmatch(narrow), _BAR.fullmatch(wide)
    if first is None or second is None or first.group(1, 2) != second.group(1, 2):
        return False
    before, after = float(first[3]), float(second[3])
    return before <= after if first[2].startswith("<") else before >= after
