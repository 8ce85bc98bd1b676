"""What every page's template may use: times in words, initials, and which parts of the site the actor may open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Flask, g, has_request_context, request

from reviewqueue.core.access import Action, Actor, may
from reviewqueue.core.language import gettext, spoken
from reviewqueue.core.vocabulary import word
from reviewqueue.core.writing import STYLES, Writing, writing

ADMIN_PAGES = (
    ("people", word("People"), "/admin/people", Action.READ_PEOPLE),
    ("tokens", word("Tokens"), "/admin/tokens", Action.READ_TOKENS),
    ("queues", word("Queues"), "/admin/queues", Action.READ_CONFIGURATION),
    ("imports", word("Imports"), "/admin/imports", Action.CONFIGURE_QUEUES),
    ("access", word("Access"), "/admin/access", Action.REVIEW_ACCESS),
    ("audit", word("Audit log"), "/admin/audit", Action.READ_AUDIT),
    ("background", word("Background"), "/admin/background", Action.SEE_BACKGROUND),
)


def init_app(app: Flask) -> None:
    """Give the templates their words and questions."""
    app.jinja_env.globals.update(may=may, may_anywhere=may_anywhere, admin_pages=admin_pages)
    app.jinja_env.filters.update(
        duration=duration,
        relative=relative,
        absolute=absolute,
        initials=initials,
        seconds_until=seconds_until,
        grouped=grouped,
    )


def may_anywhere(actor: Actor, action: Action) -> bool:
    """Whether `actor` may do `action` on the site or in at least one queue."""
    return may(actor, action) or any(may(actor, action, queue_id) for queue_id in actor.memberships)


def admin_pages(actor: Actor) -> list[tuple[str, str, str]]:
    """Name, title and path of the administration pages that `actor` may open."""
    return [(name, spoken(title), path) for name, title, path, action in ADMIN_PAGES if may_anywhere(actor, action)]


def duration(seconds: float) -> str:
    """`seconds` in the two largest units that say enough: `48 s`, `12 min`, `3 h 12 min`, `2 d 4 h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return gettext("%(seconds)s s", seconds=whole)
    minutes = whole // 60
    if minutes < 60:
        return gettext("%(minutes)s min", minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        if minutes and hours < 10:
            return gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
        return gettext("%(hours)s h", hours=hours)
    days, hours = divmod(hours, 24)
    if hours and days < 10:
        return gettext("%(days)s d %(hours)s h", days=days, hours=hours)
    return gettext("%(days)s d", days=days)


def relative(moment: datetime, now: datetime | None = None) -> str:
    """`moment` against now: `3 h 12 min ago`, `in 48 min`, `now`."""
    distance = ((now or datetime.now(UTC)) - moment).total_seconds()
    if abs(distance) < 5:
        return gettext("now")
    if distance > 0:
        return gettext("%(time)s ago", time=duration(distance))
    return gettext("in %(time)s", time=duration(-distance))


def seconds_until(moment: datetime) -> int:
    """Whole seconds from now to `moment`; negative once it has passed."""
    return round((moment - datetime.now(UTC)).total_seconds())


def absolute(moment: datetime) -> str:
    """`moment` in full, as its reader writes it: `20 Nov 2026, 10:00:05 UTC`."""
    return _writing().moment(moment)


def midnight(now: datetime, days_ago: int = 0) -> datetime:
    """When the reader's day began, or one before it, by their time zone."""
    local = now.astimezone(_writing().zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def grouped(count: int) -> str:
    """`count` as its reader writes it: `12,345`."""
    return _writing().number(count)


def _writing() -> Writing:
    """Of whoever this page is for: what they have set, else what their browser asks for."""
    if not has_request_context():
        return Writing()
    found: Writing | None = g.get("writing")
    if found is None:
        own = g.get("preferences")
        asked = request.accept_languages
        style = (own and own.style) or asked.best_match(list(STYLES))
        found = g.writing = writing(own and own.time_zone, style, asked.best)
    return found


def initials(name: str) -> str:
    """Two letters for a person: of the first and the last word, or the first two of the only one."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[:1].isalnum()]
    if not words:
        return "?"
    if len(words) == 1:
        return words[0][:2].upper()
    return (words[0][0] + words[-1][0]).upper()
