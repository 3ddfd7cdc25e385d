"""Sign-up, sign-in and sign-out."""

from urllib.parse import urlencode

from flask import Response, request

from slipway_chassis.http import current_parts

from ..application import sign_in as use_cases
from ..domain.session import SignIn, challenge
from ..errors import Refused
from .parts import Parts
from .shop import page, pages
from .visit import check_form, cookie_name, current_visit, set_cookie, to

SCOPES = "openid profile email users:read orders:read orders:write inventory:read"
COOKIE = "shop-sign-in"
SECONDS = 600  # for typing a password


@pages.get("/sign-in")
def begin_sign_in() -> Response:
    """Off to the issuer. What its answer must fit is kept in a cookie that no neighbouring host can plant."""
    known = current_parts(Parts)
    sign_in = use_cases.begin(request.args.get("next", "/"))
    wanted = {
        "response_type": "code",
        "client_id": known.settings.oauth_client_id,
        "redirect_uri": known.settings.signed_in_url,
        "scope": SCOPES,
        "state": sign_in.state,
        "nonce": sign_in.nonce,
        "code_challenge": challenge(sign_in.verifier),
        "code_challenge_method": "S256",
    }
    response = to(f"{known.settings.public_url}/oauth/authorize?{urlencode(wanted)}")
    set_cookie(response, cookie_name(known, COOKIE), known.seal.close(sign_in), seconds=SECONDS)
    return response


@pages.get("/signed-in")
def signed_in() -> Response:
    known = current_parts(Parts)
    sign_in = known.seal.open(SignIn, request.cookies.get(cookie_name(known, COOKIE), ""), seconds=SECONDS)
    session = use_cases.finish(
        known.tokens,
        sign_in,
        state=request.args.get("state", ""),
        code=request.args.get("code", ""),
        error=request.args.get("error", ""),
    )
    current_visit().keep(session)
    response = to(sign_in.back if sign_in else "/")
    name = cookie_name(known, COOKIE)
    response.delete_cookie(name, path="/", secure=known.settings.secure, httponly=True, samesite="Lax")
    return response


@pages.post("/sign-out")
def sign_out() -> Response:
    if account := current_visit().account:  # else another tab was first
        check_form()
        current_visit().keep(None)
        current_parts(Parts).tokens.revoke(account)
        current_parts(Parts).refresher.forget(account)
    return to("/")


@pages.get("/sign-up")
def sign_up() -> Response:
    return page("sign_up.html", wrong="", name="", email="")


@pages.post("/sign-up")
def open_account() -> Response:
    check_form()
    name, email = request.form.get("name", ""), request.form.get("email", "")
    try:
        current_parts(Parts).accounts.register(name=name, email=email, password=request.form.get("password", ""))
    except Refused as error:
        return page("sign_up.html", error.status, wrong=str(error), name=name, email=email)
    return to("/sign-in")
