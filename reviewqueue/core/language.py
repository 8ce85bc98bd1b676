"""In which language the product speaks to whoever reads. Texts are marked with `_()`; English is what is marked."""

from __future__ import annotations

from flask import Flask
from flask_babel import Babel

from reviewqueue.core.places import templates_dir

ENGLISH = "en"


def init_app(app: Flask) -> None:
    """Catalogues lie beside the templates; templates and code mark their texts with `_()` and `ngettext()`."""
    Babel(
        app,
        default_locale=ENGLISH,
        default_translation_directories=str(templates_dir() / "translations"),
        locale_selector=lambda: ENGLISH,
    )
