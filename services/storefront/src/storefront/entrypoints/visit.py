"""The session of one request: out of its cookie, and back into it where it changed."""

from dataclasses import dataclass

from flask import Response, g, request

from slipway_chassis.http import current_parts

from ..application.sign_in import Fresh, new_session
from ..domain.session import Account, Session
from ..errors import FormRefused, NotSignedIn, SignInFailed
from .parts import Parts

SESSION_SECONDS = 14 * 24 * 3600
LARGEST_COOKIE = 3900  # browsers drop what is larger than 4096 bytes with its name, and say nothing
WAIT_SECONDS = 3.0


@dataclass(slots=True)
class Visit:
    """``session`` None: nobody we know, and nothing to keep."""

    known: Parts
    session: Session | None
    changed: bool = False
    sealed: str = ""

    @property
    def account(self) -> Account | None:
        return self.session.account if self.session else None

    @property
    def form_token(self) -> str:
        """For the forms of the page. A visitor without a session gets one, with nothing else in it."""
        if self.session is None:
            self.keep(new_session())
        return self.session.form_token if self.session else ""

    def keep(self, session: Session | None) -> None:
        """From now on, and in the browser with the answer."""
        self.sealed = self.known.seal.close(session) if session else ""
        if len(self.sealed) > LARGEST_COOKIE:
            raise SignInFailed("The session is too large for a cookie.")
        self.session, self.changed = session, True

    def fresh(self, *, within: float = WAIT_SECONDS) -> Fresh | None:
        return Fresh(self.account, self.known.refresher, within=within) if self.account else None

    def note(self, fresh: Fresh | None) -> None:
        """Keeps the new tokens, or signs out where they were refused."""
        if fresh is None or self.session is None:
            return
        if fresh.ended:
            self.keep(None)
        elif fresh.account is not self.session.account:
            self.keep(self.session.with_account(fresh.account))

    def signed_in(self) -> Account:
        """Who is signed in, with a token that is good for a while; NotSignedIn."""
        fresh = self.fresh()
        if fresh is None:
            raise NotSignedIn("Sign in first.")
        try:
            return fresh()
        finally:
            self.note(fresh)


def current_visit() -> Visit:
    visit: Visit = g.visit
    return visit


def begin_visit() -> None:
    known = current_parts(Parts)
    sealed = request.cookies.get(cookie_name(known), "")
    session = known.seal.open(Session, sealed, seconds=SESSION_SECONDS) if sealed else None
    g.visit = Visit(known, session)


def end_visit(response: Response) -> Response:
    visit: Visit | None = g.get("visit")
    if visit is None or not visit.changed:
        return response
    name = cookie_name(visit.known)
    if visit.session is None:
        response.delete_cookie(name, path="/", secure=visit.known.settings.secure, httponly=True, samesite="Lax")
        return response
    set_cookie(response, name, visit.sealed)
    return response


def set_cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    secure = current_parts(Parts).settings.secure
    response.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Lax")


def cookie_name(known: Parts, name: str = "shop") -> str:
    """With TLS, browsers take a cookie of this prefix from this host alone, not from its neighbours."""
    return f"__Host-{name}" if known.settings.secure else name


def check_form() -> None:
    """FormRefused, unless the form was made by a page of this session."""
    session = current_visit().session
    if session is None or not session.made(request.form.get("form_token", "")):
        raise FormRefused("This form is too old, or was not made by this shop. Open the page again.")


def to(path: str) -> Response:
    """See other: after a form, the browser asks for the page with GET."""
    return Response(status=303, headers={"Location": path})
