"""Forms about people, passwords, tokens and membership."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    EmailField,
    Field,
    Form,
    HiddenField,
    IntegerField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.validators import EqualTo, InputRequired, Length, NumberRange, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from reviewqueue.accounts.passwords import LONGEST, SHORTEST
from reviewqueue.accounts.preferences import BREAKS, Preferences
from reviewqueue.accounts.tokens import LONGEST_DAYS, MOST_REQUESTS
from reviewqueue.core.access import Scope
from reviewqueue.core.language import choices, gettext, spoken
from reviewqueue.core.vocabulary import word
from reviewqueue.core.writing import STYLES
from reviewqueue.errors import Conflict, Error, Invalid
from reviewqueue.models.states import Images, QueueRole, SiteRole

SITE_ROLES = {
    SiteRole.MEMBER.value: word("Member: does what their queues say"),
    SiteRole.AUDITOR.value: word("Auditor: reads everything, changes nothing"),
    SiteRole.ADMIN.value: word("Administrator: people, tokens, queues"),
}
QUEUE_ROLES = {
    QueueRole.REVIEWER.value: word("Reviewer: claims and decides"),
    QueueRole.LEAD.value: word("Lead: also takes escalations, sees the history"),
    QueueRole.ANALYST.value: word("Analyst: exports, sees the history"),
}
SCOPES = {
    Scope.ITEMS_WRITE: word("Submit items"),
    Scope.ITEMS_READ: word("Read items and their resolutions"),
    Scope.EXPORTS: word("Make and download exports"),
    Scope.QUEUES_WRITE: word("Configure queues"),
    Scope.METRICS: word("Read metrics"),
    Scope.REVIEW: word("Review: claim and decide"),
}

IMAGES = {
    Images.SHOWN.value: word("Shown as they are"),
    Images.GREY.value: word("Without colour, until I ask"),
    Images.HIDDEN.value: word("Hidden, until I ask"),
}
STYLE_CHOICES = {"": word("As this browser asks")} | {name: style.title for name, style in STYLES.items()}


def _breaks() -> dict[str, str]:
    return {"": gettext("Never")} | {
        str(minutes): gettext("After %(minutes)s minutes at the desk", minutes=minutes) for minutes in BREAKS
    }


def printable(_form: Form, field: Field) -> None:
    """Nothing that no keyboard types: control characters, NUL."""
    if field.data and not str(field.data).isprintable():
        raise ValidationError(_("Remove the characters that cannot be shown."))


def stripped(text: str | None) -> str | None:
    """A filter: without white space around it."""
    return text.strip() if text else text


def some_chosen(_form: Form, field: Field) -> None:
    """At least one. Unlike `InputRequired` it does not ask the browser for each single box."""
    if not field.data:
        raise ValidationError(_("Choose at least one."))


def _checkboxes(label: str, **options: Any) -> SelectMultipleField:
    return SelectMultipleField(label, widget=ListWidget(), option_widget=CheckboxInput(), **options)


class LoginForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(
        lazy_gettext("E-mail"),
        filters=[stripped],
        validators=[InputRequired(lazy_gettext("Type your e-mail.")), Length(max=254), printable],
        render_kw={"autocomplete": "username", "autofocus": True},
    )
    password = PasswordField(
        lazy_gettext("Password"),
        validators=[
            InputRequired(lazy_gettext("Type your password.")),
            Length(max=LONGEST, message=lazy_gettext("The password is too long.")),
        ],
        render_kw={"autocomplete": "current-password"},
    )
    next = HiddenField()

    def ask_password_again(self) -> None:
        """The e-mail stands in its field already: the next thing to be typed is the password."""
        self.email.render_kw = {"autocomplete": "username"}
        self.password.render_kw = {**(self.password.render_kw or {}), "autofocus": True}


class PasswordForm(FlaskForm):  # type: ignore[misc]
    current = PasswordField(
        lazy_gettext("Current password"),
        validators=[InputRequired(lazy_gettext("Type your current password.")), Length(max=LONGEST)],
        render_kw={"autocomplete": "current-password"},
    )
    password = PasswordField(
        lazy_gettext("New password"),
        description=lazy_gettext(
            "At least %(shortest)s characters. A few words in a row are easy to keep in mind.", shortest=SHORTEST
        ),
        validators=[InputRequired(lazy_gettext("Type the new password.")), Length(max=LONGEST)],
        render_kw={"autocomplete": "new-password", "minlength": SHORTEST},
    )
    repeat = PasswordField(
        lazy_gettext("New password again"),
        validators=[
            InputRequired(lazy_gettext("Type it again.")),
            EqualTo("password", lazy_gettext("The two new passwords differ.")),
        ],
        render_kw={"autocomplete": "new-password"},
    )


def _code(label: str, **options: Any) -> StringField:
    return StringField(
        label,
        filters=[stripped],
        validators=[InputRequired(lazy_gettext("Type the code.")), Length(max=40), printable],
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
        **options,
    )


def _own_password() -> PasswordField:
    return PasswordField(
        lazy_gettext("Password"),
        validators=[InputRequired(lazy_gettext("Type your password.")), Length(max=LONGEST)],
        render_kw={"autocomplete": "current-password"},
    )


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The second step of signing in."""

    code = _code(
        lazy_gettext("Code"),
        description=lazy_gettext("The six digits that your app shows now, or one of your recovery codes."),
    )


class AppCodeForm(FlaskForm):  # type: ignore[misc]
    """The first code of an app that is being set up."""

    code = _code(lazy_gettext("Code"), description=lazy_gettext("The six digits that your app shows now."))


class OwnPasswordForm(FlaskForm):  # type: ignore[misc]
    password = _own_password()


class BothForm(FlaskForm):  # type: ignore[misc]
    """Password and code, of somebody signed in."""

    password = _own_password()
    code = _code(lazy_gettext("Code"), description=lazy_gettext("Of your app, or a recovery code."))


class PersonForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(
        lazy_gettext("E-mail"),
        filters=[stripped],
        validators=[InputRequired(lazy_gettext("Type an e-mail.")), Length(max=254), printable],
    )
    name = StringField(
        lazy_gettext("Name"),
        filters=[stripped],
        description=lazy_gettext("Shown to colleagues. Without one, the part of the e-mail before the @."),
        validators=[Optional(), Length(max=200), printable],
    )
    role = SelectField(lazy_gettext("Role on the site"), choices=choices(SITE_ROLES), default=SiteRole.MEMBER.value)


class PreferencesForm(FlaskForm):  # type: ignore[misc]
    images = RadioField(lazy_gettext("Images in items"), choices=choices(IMAGES), default=Images.SHOWN.value)
    covers_warned = BooleanField(lazy_gettext("Cover the items of queues with a content warning until I ask for each"))
    break_minutes = SelectField(lazy_gettext("Propose a break"), choices=_breaks, default="")
    time_zone = StringField(
        lazy_gettext("Time zone"),
        filters=[stripped],
        description=lazy_gettext("As in Europe/Berlin. Left empty: UTC."),
        validators=[Optional(), Length(max=64)],
        render_kw={"list": "zones", "autocomplete": "off"},
    )
    style = SelectField(lazy_gettext("Dates and numbers"), choices=choices(STYLE_CHOICES), default="")

    def wanted(self) -> Preferences:
        minutes = self.break_minutes.data
        return Preferences(
            images=Images(self.images.data), covers_warned=self.covers_warned.data,
            break_minutes=int(minutes) if minutes else None, time_zone=self.time_zone.data or None,
            style=self.style.data or None,
        )  # fmt: skip


class RoleForm(FlaskForm):  # type: ignore[misc]
    role = SelectField(lazy_gettext("Role on the site"), choices=choices(SITE_ROLES))


class TokenForm(FlaskForm):  # type: ignore[misc]
    """`review` is offered on personal tokens alone."""

    name = StringField(
        lazy_gettext("Name"),
        filters=[stripped],
        description=lazy_gettext("What it is for, so that it can be told from others."),
        validators=[InputRequired(lazy_gettext("Give the token a name.")), Length(max=200), printable],
    )
    scopes = _checkboxes(lazy_gettext("May"), validators=[some_chosen])
    queues = _checkboxes(lazy_gettext("Only in these queues"), description=lazy_gettext("None chosen: in all queues."))
    expires_days = IntegerField(
        lazy_gettext("Ends after days"),
        description=lazy_gettext("Empty: never."),
        validators=[
            Optional(),
            NumberRange(1, LONGEST_DAYS, lazy_gettext("Between 1 and %(longest)s days.", longest=LONGEST_DAYS)),
        ],
        render_kw={"inputmode": "numeric", "min": 1, "max": LONGEST_DAYS},
    )

    requests_per_second = IntegerField(
        lazy_gettext("Requests a second"),
        description=lazy_gettext("In each web process; more are told to wait. Empty: as many as the site lets."),
        validators=[
            Optional(),
            NumberRange(1, MOST_REQUESTS, lazy_gettext("Between 1 and %(most)s.", most=f"{MOST_REQUESTS:,}")),
        ],
        render_kw={"inputmode": "numeric", "min": 1, "max": MOST_REQUESTS},
    )

    def offer(self, *, personal: bool, queues: dict[str, str]) -> TokenForm:
        """Fill in what may be chosen; `queues` are titles by slug. Nobody sets a limit for themselves."""
        if personal:
            del self.requests_per_second
        self.scopes.choices = {
            scope.value: spoken(words) for scope, words in SCOPES.items() if personal or scope is not Scope.REVIEW
        }
        self.queues.choices = queues
        return self


class MemberForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(
        lazy_gettext("E-mail"),
        filters=[stripped],
        validators=[InputRequired(lazy_gettext("Type an e-mail.")), Length(max=254), printable],
    )
    role = SelectField(
        lazy_gettext("Role in this queue"), choices=choices(QUEUE_ROLES), default=QueueRole.REVIEWER.value
    )


class PlainForm(FlaskForm):  # type: ignore[misc]
    """A button."""


def blame(form: FlaskForm, error: Error, *, field: str = "") -> None:
    """Put an operation's error beside the fields it points at; what points nowhere goes to `field` or on top."""
    fields: dict[str, Any] = form._fields
    if isinstance(error, Invalid) and error.faults:
        for fault in error.faults:
            _put(form, fields.get(fault.pointer[1:].partition("/")[0]), _sentence(fault.detail))
    elif isinstance(error, Invalid | Conflict) or field:
        _put(form, fields.get(field), error.message)
    else:
        raise error


def _put(form: FlaskForm, field: Any, message: str) -> None:
    if field is None:
        form.form_errors.append(message)
    else:
        field.errors = [*field.errors, message]


def _sentence(detail: str) -> str:
    text = detail[:1].upper() + detail[1:]
    return text if text.endswith(".") else text + "."
