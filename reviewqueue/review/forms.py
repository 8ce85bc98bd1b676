"""The parts of a decision that every task type has, as a form."""

from __future__ import annotations

from flask_babel import lazy_gettext
from wtforms import BooleanField, FloatField, Form, HiddenField, StringField, TextAreaField
from wtforms.validators import AnyOf, Length, NumberRange, Optional

from reviewqueue.models.states import Verdict


class DecisionForm(Form):  # type: ignore[misc]
    """Besides these: `choice`, `text`, or the fields of `review.fields`; and `seen`, once a part looked at."""

    verdict = HiddenField(validators=[Optional(), AnyOf([verdict.value for verdict in Verdict])])
    """Empty: it follows from the change."""
    reason = StringField(lazy_gettext("Reason"), validators=[Length(max=100)])
    suggested_label = StringField(lazy_gettext("The label that is missing"), validators=[Length(max=1000)])
    comment = TextAreaField(lazy_gettext("Note"), validators=[Length(max=20_000)])
    message = TextAreaField(lazy_gettext("Message to the program"), validators=[Length(max=20_000)])
    started_blank = BooleanField()
    spent_seconds = FloatField(validators=[Optional(), NumberRange(min=0, max=1_000_000)])
