"""When a queue clears, without a database."""

from __future__ import annotations

import pytest

from reviewqueue.review.forecast import Outlook, forecast


@pytest.mark.parametrize(
    ("undecided", "decided", "arrived", "outlook"),
    [
        (0, 500, 0, Outlook.CLEAR),
        (40, 5, 4, Outlook.TOO_LITTLE),
        (40, 50, 0, Outlook.CLEARS),
        (40, 0, 50, Outlook.GROWS),
        (40, 30, 25, Outlook.LEVEL),
    ],
)
def test_it_says_what_the_last_hour_lets_it_say(undecided, decided, arrived, outlook):
    assert forecast(undecided=undecided, decided=decided, arrived=arrived).outlook is outlook


def test_the_range_of_when_it_clears_is_that_of_the_difference_of_two_counts():
    found = forecast(undecided=1000, decided=300, arrived=100)
    # 200 an hour, and 1.96 x sqrt(400) = 39.2 to either side.
    assert (round(found.low, 3), round(found.high, 3)) == (round(1000 / 239.2, 3), round(1000 / 160.8, 3))


def test_what_is_taken_off_and_what_is_put_on_have_the_same_range_mirrored():
    grows = forecast(undecided=1, decided=100, arrived=300)
    assert (round(grows.low, 1), round(grows.high, 1)) == (160.8, 239.2)
    level = forecast(undecided=1, decided=100, arrived=100)
    assert level.low == -level.high
