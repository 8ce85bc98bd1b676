"""Collect the texts that are marked for translation, and bring every catalogue up to date: `make messages`.

Written without dates and line numbers, so that a file changes only where a text does.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "templates" / "translations"
DAWN = datetime(2026, 1, 1, tzinfo=UTC)
"""In every catalogue, so that it changes only with its texts."""
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "word": None}


def extracted() -> Catalog:
    """All marked texts, in the order of their letters."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    found = Catalog(project="reviewqueue", fuzzy=False)
    for name, _line, message, comments, context in extract_from_dir(
        ROOT, method_map=methods, options_map=options, keywords=KEYWORDS, comment_tags=("Translators:",)
    ):
        found.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    return found


def as_po(catalogue: Catalog) -> bytes:
    """With the files that a text stands in, and a header of what matters alone."""
    catalogue.header_comment = ""
    out = BytesIO()
    write_po(out, catalogue, sort_output=True, include_lineno=False, omit_header=True, ignore_obsolete=True, width=110)
    plural = f'"Plural-Forms: {catalogue.plural_forms}\\n"\n' if catalogue.locale else ""
    language = f'"Language: {catalogue.locale_identifier}\\n"\n' if catalogue.locale else ""
    header = f'msgid ""\nmsgstr ""\n{language}"Content-Type: text/plain; charset=utf-8\\n"\n{plural}\n'
    return header.encode() + out.getvalue()


def compiled(po: Path) -> bytes:
    """What the product reads."""
    with po.open("rb") as file:
        catalogue = read_po(file, locale=po.parent.parent.name)
    catalogue.creation_date = catalogue.revision_date = DAWN
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def add(language: str) -> Path:
    """The place of a language's catalogue; an empty one, where it is new."""
    po = FOLDER / language / "LC_MESSAGES" / "messages.po"
    if not po.exists():
        po.parent.mkdir(parents=True, exist_ok=True)
        po.write_bytes(as_po(Catalog(locale=language, fuzzy=False)))
    return po


def main(languages: list[str]) -> None:
    for language in languages:
        add(language)
    template = extracted()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "messages.pot").write_bytes(as_po(template))
    for po in sorted(FOLDER.glob("*/LC_MESSAGES/messages.po")):
        with po.open("rb") as file:
            catalogue = read_po(file, locale=po.parent.parent.name)
        catalogue.update(template, no_fuzzy_matching=True)
        po.write_bytes(as_po(catalogue))
        po.with_suffix(".mo").write_bytes(compiled(po))


if __name__ == "__main__":
    main(sys.argv[1:])
