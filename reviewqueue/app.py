"""create_app: the composition root. Extensions, blueprints, and the one error handler."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, Response, g, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect
from gunicorn.http.errors import NoMoreData, ParseException
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue import config, errors
from reviewqueue.accounts import events_web, identity, provider, second_factor_web, sso_web
from reviewqueue.accounts import web as accounts_web
from reviewqueue.adapters import api as adapters_api
from reviewqueue.audit import access_web
from reviewqueue.audit import web as audit_web
from reviewqueue.core import assets, background_web, db, health, http, language, logs, metrics, pages, traces
from reviewqueue.core.places import templates_dir
from reviewqueue.delivery import api as delivery_api
from reviewqueue.delivery import waiting
from reviewqueue.delivery.webhooks import api as webhooks_api
from reviewqueue.delivery.webhooks import web as webhooks_web
from reviewqueue.feedback import api as feedback_api
from reviewqueue.feedback import web as feedback_web
from reviewqueue.insights import advice_api, advice_web, alerts_api, alerts_web, metrics_web
from reviewqueue.insights import api as insights_api
from reviewqueue.insights import web as insights_web
from reviewqueue.intake import api as intake_api
from reviewqueue.intake import receiving
from reviewqueue.intake import web as intake_web
from reviewqueue.media import api as media_api
from reviewqueue.notices import web as notices_web
from reviewqueue.onboarding import dropping_web
from reviewqueue.onboarding import web as onboarding_web
from reviewqueue.openapi import api as openapi_api
from reviewqueue.openapi import web as openapi_web
from reviewqueue.queues import api as queues_api
from reviewqueue.queues import web as queues_web
from reviewqueue.review import api as review_api
from reviewqueue.review import grid_web, leading_web, media_web, quality_web
from reviewqueue.review import web as review_web

log = logging.getLogger(__name__)
csrf = CSRFProtect()


class Application(Flask):
    """Flask, without what a request would pay for and nothing here uses."""

    request_class = http.AnyRequest
    session_interface = http.BrowserSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """All views and hooks are plain functions: Flask would look at each of them anew with every request."""
        return func


def create_app(settings: config.Settings | None = None) -> Flask:
    """The application. Opens no connection: safe to make before a fork."""
    settings = settings or config.load()
    app = Application("reviewqueue", template_folder=str(templates_dir()), static_folder=str(assets.FOLDER))
    app.url_map.merge_slashes = False  # a part of an address that is empty names nothing: 404, not a redirect
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_body_bytes,
        SESSION_COOKIE_NAME=http.cookie_name("reviewqueue", secure=settings.secure_cookies),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
        WTF_CSRF_TIME_LIMIT=None,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    metrics.init_app(app)
    logs.init_app(app)
    traces.init_app(app, settings)
    db.init_app(app, settings)
    language.init_app(app)
    app.before_request(http.refuse_nul)
    app.before_request(http.ignore_odd_ranges)
    identity.init_app(app)  # before CSRF, so that its error page knows who reads it
    csrf.init_app(app)
    waiting.init_app(app)
    receiving.init_app(app)
    provider.init_app(app)
    _add_blueprints(app)
    app.after_request(assets.compress)
    app.after_request(http.secure)
    app.register_error_handler(Exception, answer_error)
    app.jinja_env.globals["static_url"] = assets.static_url
    pages.init_app(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    return app


def _add_blueprints(app: Flask) -> None:
    html = [
        background_web.blueprint,
        accounts_web.blueprint,
        events_web.blueprint,
        audit_web.blueprint,
        access_web.blueprint,
        second_factor_web.blueprint,
        sso_web.blueprint,
        health.blueprint,
        metrics_web.blueprint,
        alerts_web.blueprint,
        review_web.blueprint,
        grid_web.blueprint,
        quality_web.blueprint,
        media_web.blueprint,
        leading_web.blueprint,
        queues_web.blueprint,
        notices_web.blueprint,
        onboarding_web.blueprint,
        dropping_web.blueprint,
        intake_web.blueprint,
        feedback_web.blueprint,
        insights_web.blueprint,
        advice_web.blueprint,
        webhooks_web.blueprint,
        openapi_web.blueprint,
    ]
    apis = [
        intake_api.blueprint, media_api.blueprint, queues_api.blueprint, review_api.blueprint, delivery_api.blueprint,
        webhooks_api.blueprint,
        feedback_api.blueprint, advice_api.blueprint, alerts_api.blueprint, insights_api.blueprint,
        adapters_api.blueprint,
        openapi_api.blueprint,
    ]  # fmt: skip
    app.jinja_env.globals["brakes_pulled"] = queues_web.brakes_pulled
    app.jinja_env.globals["set_up"] = onboarding_web.set_up
    app.jinja_env.globals["unread_notices"] = notices_web.unread_notices
    for blueprint in html:
        app.register_blueprint(blueprint)
    for blueprint in apis:
        # Bearer tokens only: a browser does not send one by itself, so there is nothing to forge.
        csrf.exempt(blueprint)
        app.register_blueprint(blueprint)


# -- errors -----------------------------------------------------------------------------------------------------------


def answer_error(error: Exception) -> AnyResponse | tuple[str, int]:
    """Every error ends here: problem details under `/api`, a page elsewhere."""
    known = as_known(error)
    if http.is_api_request():
        return http.problem(known)
    if isinstance(known, errors.Unauthenticated) and request.method in {"GET", "HEAD"} and not http.is_from_desk():
        return redirect(url_for("accounts.login", next=request.full_path.rstrip("?")))
    return _error_page(known)


def _error_page(error: errors.Error) -> Response:
    status = http.status_of(error)
    sign_in = None
    if isinstance(error, errors.Unauthenticated):
        # A form was sent after its session had ended: back to the page that it is on.
        sign_in = url_for("accounts.login", next=http.safe_next(http.path_of_referrer()))
    page = Response(render_template("errors/error.html", error=error, status=status, sign_in=sign_in), status=status)
    if isinstance(error, errors.TooMany | errors.Unavailable):
        page.headers["Retry-After"] = str(error.retry_after)
    return page


_FRAMEWORK: dict[int, Callable[[HTTPException], errors.Error]] = {
    404: lambda _: errors.NotFound(),
    413: lambda _: errors.TooLarge("The request is larger than this server accepts. Split it, or send less."),
    405: lambda _: http.MethodNotAllowed(f"{request.method} is not possible here."),
}


def _from_werkzeug(error: HTTPException) -> errors.Error:
    code = error.code or 500
    if isinstance(error, RequestedRangeNotSatisfiable):
        message = "Ask for bytes that the file has, or leave Range out."
        return http.RangeNotSatisfiable(message, length=error.length or 0)
    if code in _FRAMEWORK:
        return _FRAMEWORK[code](error)
    if code >= 500:
        return errors.Unavailable(error.description or error.name)
    return http.BadRequest(error.description or error.name)


def as_known(error: Exception) -> errors.Error:
    """`error` as one of the tree. What nobody foresaw is logged with a number that the caller is given."""
    if isinstance(error, errors.Error):
        return error
    if isinstance(error, CSRFError):
        if g.get("actor") is None and request.endpoint not in {"accounts.try_login", "second_factor.try_code"}:
            return errors.Unauthenticated(
                "You have been signed out; nothing was changed. The page before this one still has what you typed."
            )
        return errors.Forbidden(
            "The form was too old or came from elsewhere. Go back, reload the page and send it again.", code="csrf"
        )
    if isinstance(error, HTTPException):
        return _from_werkzeug(error)
    if isinstance(error, ParseException | NoMoreData):
        return http.BadRequest(
            "The body of the request cannot be read: its chunks are not as they say, or it ended early."
        )
    if isinstance(error, BlockingIOError):
        return http.BadRequest("The body of the request did not come: nothing for too long.")
    if isinstance(error, PoolTimeout) or (
        isinstance(error, OperationalError | InterfaceError)
        or (isinstance(error, DBAPIError) and error.connection_invalidated)
    ):
        log.error("database unavailable", exc_info=error)
        return errors.Unavailable("The database cannot be reached. Nothing was changed; try again.")
    number = secrets.token_hex(4)
    log.error("unexpected error %s on %s %s", number, request.method, request.path, exc_info=error)
    return errors.Error(f"Something unexpected went wrong. It was logged as {number}.", code="internal_error")
