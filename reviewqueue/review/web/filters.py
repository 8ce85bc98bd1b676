"""The blueprint of review, and the filters that its templates use."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint

from reviewqueue.review.shown import as_it_reads, hidden_in, markdown, pieces, reads_otherwise, scalar, words

blueprint = Blueprint("review", __name__)


@blueprint.record_once
def _give_templates_their_filters(state: Any) -> None:
    state.app.jinja_env.filters.update(
        as_it_reads=as_it_reads,
        reads_otherwise=reads_otherwise,
        pieces=pieces,
        hidden_in=hidden_in,
        words=words,
        markdown=markdown,
        scalar=scalar,
        from_json=json.loads,
    )
