"""In which language the product speaks to whoever reads. Texts are marked with `_()`; English is what is marked.

Templates and the words of `core.pages` call `gettext` and `ngettext` of this module, which look the catalogue up once a
request. Forms and views may use those of Flask-Babel: they are told the same language. What a queue says of itself
(titles, labels, instructions), and the problem documents of the API, are never translated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel
from markupsafe import Markup

from reviewqueue.core.assets import FOLDER
from reviewqueue.core.places import templates_dir

ENGLISH = "en"
_CATALOGUES = "reviewqueue.catalogues"
UNASKED = object()
_speaks: ContextVar[object] = ContextVar("speaks", default=None)
"""The catalogue of the request at hand, once it was asked for. Not in `g`, which takes ten times as long to look at."""


def init_app(app: Flask, folder: Path | None = None) -> None:
    """Catalogues lie beside the templates: `<language>/LC_MESSAGES/messages.mo`, or in another `folder`."""
    folder = folder or templates_dir() / "translations"
    found = sorted(path.parent.parent.name for path in folder.glob("*/LC_MESSAGES/messages.mo"))
    app.extensions[_CATALOGUES] = {
        name: Translations.load(str(folder), [name]) for name in found if name != ENGLISH
    }  # fmt: skip
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(folder)
    Babel(app, default_locale=ENGLISH, locale_selector=language)
    app.before_request(_ask_anew)
    app.teardown_request(_forget)
    app.jinja_env.globals.update(
        _=_said, gettext=_said, ngettext=_said_of, language=language, script_texts=script_texts
    )
    app.jinja_env.filters["spoken"] = spoken


def language() -> str:
    """Of whoever this page is for: what they have set, else the best of what their browser asks for, else English."""
    if not has_request_context():
        return ENGLISH
    known = [ENGLISH, *current_app.extensions[_CATALOGUES]]
    own = g.get("preferences")
    if own is not None and own.style:
        wanted = own.style.partition("-")[0]
        if wanted in known:
            return str(wanted)
    return request.accept_languages.best_match(known, ENGLISH)


def gettext(message: str, /, **values: Any) -> str:
    """`message` in the reader's language, with `values` in its places; a `%` itself is written `%%`."""
    catalogue = _catalogue()
    text = message if catalogue is None else str(catalogue.gettext(message))
    return text % values if "%" in text else text


def ngettext(one: str, many: str, number: int, /, **values: Any) -> str:
    """As `gettext`, in the form that `number` asks for; `%(num)s` is it."""
    return _form(one, many, number) % {"num": number, **values}


def spoken(word: Any) -> str:
    """A word that was marked with `vocabulary.word`, in the reader's language; another as it is."""
    text = str(word)
    catalogue = _catalogue()
    return text if catalogue is None else str(catalogue.gettext(text))


def choices(titles: Mapping[str, str]) -> Callable[[], dict[str, str]]:
    """The choices of a form's field: titles by value, marked with `vocabulary.word`."""
    return lambda: {value: spoken(title) for value, title in titles.items()}


def script_texts() -> str:
    """The texts of the scripts in the reader's language, as JSON; nothing where English is spoken."""
    catalogue = _catalogue()
    if catalogue is None:
        return ""
    return json.dumps({text: str(catalogue.gettext(text)) for text in _in_scripts()}, ensure_ascii=False)


@lru_cache(maxsize=1)
def _in_scripts() -> tuple[str, ...]:
    """What scripts mark with `_("…")`."""
    found = (re.findall(r'\b_\("([^"]+)"', path.read_text(encoding="utf-8")) for path in FOLDER.rglob("*.js"))
    return tuple(sorted({text for texts in found for text in texts}))


def _said(message: str, /, **values: Any) -> Markup:
    """`gettext` of templates: a message is markup, its values are not."""
    catalogue = _catalogue()
    text = message if catalogue is None else catalogue.gettext(message)
    return _markup(text) % values if "%" in text else _markup(text)


def _said_of(one: str, many: str, number: int, /, **values: Any) -> Markup:
    return _markup(_form(one, many, number)) % {"num": number, **values}


_markup = lru_cache(maxsize=8192)(Markup)


def _form(one: str, many: str, number: int) -> str:
    catalogue = _catalogue()
    if catalogue is None:
        return one if number == 1 else many
    return str(catalogue.ngettext(one, many, number))


def _catalogue() -> NullTranslations | None:
    """None where English is spoken: also outside requests, in commands and jobs."""
    found = _speaks.get()
    if found is UNASKED:
        found = current_app.extensions[_CATALOGUES].get(language())
        _speaks.set(found)
    return cast("NullTranslations | None", found)


def _ask_anew() -> None:
    _speaks.set(UNASKED)


def _forget(_: BaseException | None) -> None:
    _speaks.set(None)
