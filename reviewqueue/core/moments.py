"""Times as we write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson


def iso(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, `2026-11-20T10:00:00.123Z`; None stays None."""
    if moment is None:
        return None
    # What comes from the database is in UTC already.
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # A quarter of what `isoformat` takes, which tells where a million are written. Whole seconds come without a point.
    text = orjson.dumps(utc).decode()
    return text[1:24] + "Z" if utc.microsecond else text[1:20] + ".000Z"
