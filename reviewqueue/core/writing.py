"""How moments and numbers are written for whoever reads: their time zone, their habits. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError


@dataclass(frozen=True)
class Style:
    """A habit of writing. `moment` is a pattern of strftime."""

    title: str
    moment: str
    between: str
    """Between thousands."""


STYLES = {
    "en": Style("20 Nov 2026, 14:05:09 and 12,345", "%-d %b %Y, %H:%M:%S", ","),
    "en-us": Style("Nov 20, 2026, 2:05:09 PM and 12,345", "%b %-d, %Y, %-I:%M:%S %p", ","),
    "de": Style("20.11.2026, 14:05:09 and 12.345", "%d.%m.%Y, %H:%M:%S", "."),
    "fr": Style("20/11/2026 14:05:09 and 12\u202f345", "%d/%m/%Y %H:%M:%S", "\u202f"),
    "iso": Style("2026-11-20 14:05:09 and 12\u202f345", "%Y-%m-%d %H:%M:%S", "\u202f"),
}
PLAIN = "en"


@dataclass(frozen=True)
class Writing:
    """For one reader."""

    zone: tzinfo = UTC
    style: Style = STYLES[PLAIN]
    locale: str | None = None
    """Of a language without a style here: then as the CLDR has it."""

    def moment(self, at: datetime) -> str:
        """In full, with its zone: `20 Nov 2026, 10:00:05 UTC`."""
        local = at.astimezone(self.zone)
        if self.locale is not None:
            from babel.dates import format_datetime

            return f"{format_datetime(local, tzinfo=self.zone, locale=self.locale)} {local:%Z}"
        return f"{local.strftime(self.style.moment)} {local:%Z}"

    def number(self, count: int) -> str:
        if self.locale is not None:
            from babel.numbers import format_decimal

            return format_decimal(count, locale=self.locale)
        return f"{count:,}".replace(",", self.style.between)


def writing(time_zone: str | None, style: str | None, language: str | None = None) -> Writing:
    """What is not known any more counts as not given. Without a style it is that of `language`."""
    zone: tzinfo = ZoneInfo(time_zone) if time_zone in zones() else UTC
    if style in STYLES:
        return Writing(zone, STYLES[style])
    return Writing(zone, STYLES[style_of(language)], None if _has_style(language) else _known(language))


@lru_cache(maxsize=256)
def _known(language: str | None) -> str | None:
    """`pt-BR` as `pt_BR`; None for what no locale is known of."""
    try:
        return str(Locale.parse(language or "", sep="-"))
    except (ValueError, TypeError, UnknownLocaleError):
        return None


def _has_style(language: str | None) -> bool:
    return (language or "").lower().split("-")[0] in STYLES


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """The names of all time zones that this machine knows."""
    return frozenset({"UTC", *(name for name in available_timezones() if "/" in name)})


def style_of(language: str | None) -> str:
    """The style that a language asks for: `de-AT` that of `de`."""
    name = (language or "").lower()
    return name if name in STYLES else next((known for known in STYLES if name.split("-")[0] == known), PLAIN)
