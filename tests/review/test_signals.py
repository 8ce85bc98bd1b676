"""Signs of deciding without looking: figures with what they rest on, and nothing marked by fewer than 50 checks."""

from __future__ import annotations

import random

from reviewqueue.queues.applying import apply
from reviewqueue.review import quality
from reviewqueue.review.agreement import share
from reviewqueue.review.signals import Made, chance_of_run, longest_run, signals
from tests.desk_steps import decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD
from tests.review.test_standings import add_gold, have_met


def test_a_run_is_judged_by_what_the_others_approve():
    assert longest_run([True, True, False, True]) == 2
    assert longest_run([]) == 0
    assert chance_of_run(0, 0, 0.5) == chance_of_run(3, 3, 1.0) == 1.0
    assert chance_of_run(20, 100, 0.5) < 0.001
    chance = random.Random(3)
    runs = [longest_run([chance.random() < 0.7 for _ in range(60)]) for _ in range(4000)]
    for length in (12, 16):
        met = share(sum(run >= length for run in runs), len(runs))
        assert met.low <= chance_of_run(length, 60, 0.7) <= 3 * met.high, "a bound, and not a loose one"


def test_what_is_worth_a_look_is_beyond_chance():
    half, none = share(50, 100), share(0, 0)
    stamping = signals([Made(True, 0.5, 600)] * 40, others=half, passed=share(18, 40))
    assert (stamping.hasty.met, stamping.streak, len(stamping.worth_a_look)) == (40, 40, 3)
    careful = signals([Made(number % 2 == 0, 12.0, 600) for number in range(40)], others=half, passed=share(2, 40))
    assert careful.worth_a_look == []
    few = signals([Made(True, 0.5, 600)] * 3, others=half, passed=share(1, 1))
    assert "a run of approvals that chance does not explain" not in few.worth_a_look
    assert signals([Made(True, None, 600)], others=none, passed=none).hasty.of == 0
    easy = signals([Made(True, 12.0, 600)] * 40, others=share(990, 1000), passed=none)
    assert easy.worth_a_look == [], "where everybody approves"


def test_a_lead_and_the_person_see_the_same_and_nothing_is_marked_before_there_is_enough(client, cast, transaction):
    add_gold(client, cast, 1)
    for number in range(12):
        submit(client, cast, number=number)
        decide(client, cast.alice, verdict="approve", spent_seconds=0.1)
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"gold": 1.0}})
    submit(client, cast, number=99)
    decide(client, cast.alice, verdict="approve", spent_seconds=0.1)
    have_met(transaction, cast, cast.alice, met=48, of=48)

    def found():
        with transaction() as session:
            people = quality.quality_of(session=session, actor=cast.bob.actor, slug="intents").people
            return next(one for one in people if one.name == "Alice")

    assert (found().gold.of, found().worth_a_look) == (49, [])
    assert (found().signals.hasty.met, found().signals.streak) == (12, 12)
    have_met(transaction, cast, cast.alice, met=1, of=1, first=99)
    assert found().worth_a_look == ["many decisions in less time than reading takes", "wrong outputs approved"]
    told = client.get("/api/v1/queues/intents/quality", headers=cast.bob.bearer).json["people"]
    assert [one["signals"]["streak"] for one in told if one["name"] == "Alice"] == [12]
    for who, path, words in (
        (cast.bob, "/queues/intents/quality", "many decisions in less time than reading takes"),
        (cast.alice, "/decisions", "12 of 12 took less time than reading does"),
    ):
        client.post("/logout")
        client.post("/login", data={"email": who.email, "password": PASSWORD})
        assert words in client.get(path).text
