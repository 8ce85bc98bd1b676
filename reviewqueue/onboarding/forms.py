"""Forms of the first run."""

from __future__ import annotations

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from reviewqueue.accounts.forms import QUEUE_ROLES, printable, stripped
from reviewqueue.core.language import choices
from reviewqueue.models.states import QueueRole


class QueueForm(FlaskForm):  # type: ignore[misc]
    title = StringField(
        lazy_gettext("Title"),
        filters=[stripped],
        validators=[InputRequired(lazy_gettext("Give it a title.")), Length(max=200), printable],
    )
    name = StringField(
        lazy_gettext("Name"),
        filters=[stripped],
        description=lazy_gettext("For addresses and programs; it stays for ever. Small letters, digits and hyphens."),
        validators=[
            InputRequired(lazy_gettext("Give it a name.")),
            Regexp(
                r"^[a-z0-9][a-z0-9-]{0,62}$", message=lazy_gettext("Small letters, digits and hyphens, at most 63.")
            ),
        ],
        render_kw={"spellcheck": "false", "autocapitalize": "none"},
    )


class ItemForm(FlaskForm):  # type: ignore[misc]
    item = TextAreaField(
        lazy_gettext("The item, as a program would send it"),
        validators=[InputRequired(lazy_gettext("Write an item."))],
        description=lazy_gettext("JSON. With “test”: true it goes all the way and stays out of exports."),
        render_kw={"rows": 16, "spellcheck": "false", "class": "mono"},
    )


class InvitationForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(
        lazy_gettext("E-mail"),
        filters=[stripped],
        validators=[InputRequired(lazy_gettext("Type an e-mail.")), Length(max=254), printable],
    )
    name = StringField(lazy_gettext("Name"), filters=[stripped], validators=[Optional(), Length(max=200), printable])
    role = SelectField(
        lazy_gettext("Role in this queue"), choices=choices(QUEUE_ROLES), default=QueueRole.REVIEWER.value
    )


class TokenForm(FlaskForm):  # type: ignore[misc]
    name = StringField(
        lazy_gettext("Name of the program"),
        filters=[stripped],
        validators=[InputRequired(lazy_gettext("Give the token a name.")), Length(max=200), printable],
    )


class PlainForm(FlaskForm):  # type: ignore[misc]
    """A button."""


class TableForm(FlaskForm):  # type: ignore[misc]
    """A proposal: the file travels in `table`, so that nothing is lost when something is refused."""

    document = TextAreaField(
        lazy_gettext("Configuration"),
        validators=[InputRequired(lazy_gettext("Write a configuration."))],
        description=lazy_gettext("YAML or JSON. Change what you like; names of columns are names of properties."),
        render_kw={"rows": 24, "spellcheck": "false", "class": "mono"},
    )
    table = HiddenField()
