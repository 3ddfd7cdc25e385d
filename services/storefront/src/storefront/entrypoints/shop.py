"""The blueprint of all pages: their headers, their errors, what their templates know, and their static files."""

import hashlib
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Response, render_template, request, send_from_directory
from werkzeug.exceptions import HTTPException

from slipway_chassis.errors import DeadlineExceeded, DependencyUnavailable, UnusableAnswer

from ..errors import FormRefused, ItemNotFound, NotSignedIn, OrderNotFound, Refused, SignInFailed
from .visit import begin_visit, current_visit, end_visit, to

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
STATIC = HERE / "static"
AWAY = "A part of the shop does not answer at the moment. Try again in a moment; look first whether it was done."
_KEY = re.compile(r"[A-Za-z0-9-]{8,64}")

# Nothing but what the shop's own files bring; in nobody's frame.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

pages = Blueprint("pages", __name__, template_folder=str(HERE / "templates"))


def _digests() -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in STATIC.iterdir()}


DIGESTS = _digests()


@pages.get("/static/<name>", endpoint="static_file")
def static_file(name: str) -> Response:
    """Kept for good under the digest of its content; while two versions of the shop run, one may be asked for the
    other's file, and that answer must not be kept.
    """
    if name not in DIGESTS:
        return Response("There is no such file.\n", 404, content_type="text/plain; charset=utf-8")
    response = send_from_directory(STATIC, name)
    ours = request.args.get("v") == DIGESTS.get(name)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if ours else "no-cache"
    return response


@pages.before_request
def _begin() -> None:
    begin_visit()


@pages.after_request
def _end(response: Response) -> Response:
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return end_visit(response)


@pages.app_template_filter("money")
def money(cents: int) -> str:
    whole, rest = divmod(cents, 100)
    return f"€ {whole:,}.{rest:02d}"


@pages.context_processor
def _context() -> dict[str, object]:
    return {"visit": current_visit(), "digests": DIGESTS}


def page(template: str, status: int = 200, *, headers: Mapping[str, str] = {}, **values: object) -> Response:
    return Response(render_template(template, **values), status, headers, content_type="text/html; charset=utf-8")


def form_key() -> str:
    """The form's one-time key, with which what it asks for is done once."""
    key = request.form.get("key", "")
    if not _KEY.fullmatch(key):
        raise FormRefused("This form is incomplete. Open the page again.")
    return key


def sign_in_path(back: str) -> str:
    return f"/sign-in?next={quote(back, safe='/')}"


# --- errors, as pages


def _failed(status: int, detail: str, *, headers: Mapping[str, str] = {}) -> Response:
    return page("failed.html", status, headers=headers, phrase=HTTPStatus(status).phrase, detail=detail)


@pages.errorhandler(NotSignedIn)
def _to_sign_in(_error: NotSignedIn) -> Response:
    """And back to the page; a form can't be sent again, so it leads to where it would have led."""
    current_visit().keep(None)
    back = request.full_path.rstrip("?") if request.method == "GET" else request.path.rpartition("/")[0] or "/"
    return to(sign_in_path(back))


@pages.errorhandler(ItemNotFound)
@pages.errorhandler(OrderNotFound)
def _not_found(error: Exception) -> Response:
    return _failed(404, str(error))


@pages.errorhandler(FormRefused)
def _form_refused(error: FormRefused) -> Response:
    return _failed(403, str(error))


@pages.errorhandler(SignInFailed)
def _sign_in_failed(error: SignInFailed) -> Response:
    return _failed(400, str(error))


@pages.errorhandler(Refused)
def _refused(error: Refused) -> Response:
    return _failed(error.status, str(error))


@pages.errorhandler(DependencyUnavailable)
def _away(error: DependencyUnavailable) -> Response:
    log.warning("a dependency is away: %s", error)
    return _failed(503, AWAY, headers={"Retry-After": "1"})


@pages.errorhandler(DeadlineExceeded)
def _given_up(error: DeadlineExceeded) -> Response:
    return _failed(504, f"Given up: {error}.")


@pages.errorhandler(UnusableAnswer)
def _unusable(error: UnusableAnswer) -> Response:
    log.error("another service: %s", error)
    return _failed(502, "A part of the shop gave an answer that can't be used.")


@pages.errorhandler(HTTPException)
def _from_werkzeug(error: HTTPException) -> Response:
    return _failed(error.code or 500, error.description or "")


@pages.errorhandler(Exception)
def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return _failed(500, "An unexpected error happened.")
