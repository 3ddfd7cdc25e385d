"""Signing up, signing in, staying signed in and signing out, through the pages."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from storefront.domain.session import challenge


def field(answer, name):
    return re.search(rf'name="{name}" value="([^"]*)"', answer.text)[1]


# --- signing in


def test_signing_in_asks_the_issuer_with_pkce(browser):
    answer = browser.get("/sign-in?next=/orders")

    address = urlsplit(answer.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert answer.status_code == 303
    assert f"{address.scheme}://{address.netloc}{address.path}" == "http://localhost/oauth/authorize"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == len(challenge("x")) == 43
    assert query["redirect_uri"] == "http://localhost/signed-in"
    assert query["scope"] == "openid profile email users:read orders:read orders:write inventory:read"
    assert {"response_type", "client_id", "state", "nonce"} < set(query)


def test_the_session_is_in_a_cookie_that_no_script_reads(browser, sign_in):
    answer = sign_in(browser, "/items/tea-green")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/items/tea-green")
    [cookie] = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("shop=")]
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_with_tls_the_cookie_is_for_this_host_and_tls_alone(app_of, settings, sign_in):
    app = app_of(settings.model_copy(update={"public_url": "https://localhost"}))
    browser = app.test_client()

    answer = sign_in(browser)

    [cookie] = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-shop=")]
    [begun] = app.test_client().get("/sign-in").headers.getlist("Set-Cookie")
    assert begun.startswith("__Host-shop-sign-in=")
    for one in (cookie, begun):
        assert {"Secure", "Path=/"} <= set(one.split("; "))
        assert "Domain" not in one


def test_a_sign_in_that_leads_elsewhere_leads_home(browser, sign_in):
    assert sign_in(browser, "//evil.example").headers["Location"] == "/"


@pytest.mark.parametrize("wrong", ["state", "code", "cookie", "nonce", "reused"])
def test_a_sign_in_that_was_not_asked_for_is_refused(browser, back_ends, wrong):
    query = parse_qs(urlsplit(browser.get("/sign-in").headers["Location"]).query)
    address = back_ends.users.redirect(query)
    if wrong == "state":
        address = address.replace(query["state"][0], "made-up")
    if wrong == "code":
        address = re.sub("code=[0-9a-f]+", "code=made-up", address)
    if wrong == "cookie":
        browser.delete_cookie("shop-sign-in")
    if wrong == "nonce":
        back_ends.users.nonce = "made-up"
    if wrong == "reused":
        assert browser.get(address).status_code == 303

    refused = browser.get(address)

    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert wrong == "reused" or browser.get_cookie("shop") is None


def test_tokens_of_another_issuer_sign_nobody_in(browser, back_ends, sign_in, monkeypatch):
    monkeypatch.setattr(back_ends.issuer, "url", "http://evil.example")

    assert sign_in(browser).status_code == 400


def test_users_being_away_is_no_failed_sign_in(browser, back_ends, sign_in):
    back_ends.users.status = (503, {})

    assert sign_in(browser).status_code == 503


def test_a_token_that_ends_soon_is_renewed_in_passing(browser, back_ends, sign_in):
    back_ends.users.lifetime = 20
    sign_in(browser)
    back_ends.users.lifetime = 300
    before = browser.get_cookie("shop").value

    assert browser.get("/orders").status_code == 200
    assert browser.get_cookie("shop").value != before
    browser.get("/orders")

    assert len(back_ends.users.asked_for("/oauth/token")) == 2  # the code, and once the refresh token


def test_home_renews_beside_its_parts(browser, back_ends, sign_in):
    back_ends.users.lifetime = 20
    sign_in(browser)
    before = browser.get_cookie("shop").value

    assert "Hello, Ada" in browser.get("/").text
    assert browser.get_cookie("shop").value != before


def test_a_refused_renewal_signs_out(browser, back_ends, sign_in):
    back_ends.users.lifetime = 20
    sign_in(browser)
    back_ends.users.refused = True

    refused = browser.get("/orders")

    assert (refused.status_code, refused.headers["Location"]) == (303, "/sign-in?next=/orders")
    assert browser.get_cookie("shop") is None
    assert "Sign in" in browser.get("/").text


def test_an_older_cookie_is_worth_nothing_after_signing_out(browser, back_ends, sign_in):
    back_ends.users.lifetime = 20
    sign_in(browser)
    older = browser.get_cookie("shop").value
    form_token = field(browser.get("/"), "form_token")
    assert browser.get_cookie("shop").value != older  # renewed meanwhile
    browser.post("/sign-out", data={"form_token": form_token})
    back_ends.users.refused = True  # the issuer has ended all that came of the sign-in

    browser.set_cookie("shop", older)

    assert browser.get("/orders").status_code == 303


def test_signing_out_needs_the_form_and_forgets_the_session(ada):
    assert ada.post("/sign-out").status_code == 403

    answer = ada.post("/sign-out", data={"form_token": field(ada.get("/"), "form_token")})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert ada.get_cookie("shop") is None


# --- signing up


def sign_up(browser, **changed):
    page = browser.get("/sign-up")
    wanted = {"name": "Eve", "email": "eve@example.org", "password": "long enough"} | changed
    return browser.post("/sign-up", data={"form_token": field(page, "form_token")} | wanted)


def test_an_account_is_opened_and_leads_to_the_sign_in(browser, back_ends):
    answer = sign_up(browser)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert back_ends.users.accounts == {"eve@example.org": "long enough"}
    assert "Idempotency-Key" not in back_ends.users.asked[0].headers, "its fingerprint would be of the password"


@pytest.mark.parametrize(
    ("changed", "status", "text"),
    [({"email": "ada@example.org"}, 409, "The address is taken."), ({"password": "short"}, 422, "password: String")],
)  # fmt: skip
def test_what_users_refuses_is_shown_in_the_form(browser, back_ends, changed, status, text):
    back_ends.users.accounts["ada@example.org"] = ""

    refused = sign_up(browser, **changed)

    assert refused.status_code == status
    assert text in refused.text
    assert 'value="Eve"' in refused.text
    assert 'value="short"' not in refused.text


def test_an_account_needs_the_form_of_this_browser(browser, app):
    foreign = field(app.test_client().get("/sign-up"), "form_token")

    assert sign_up(browser, form_token=foreign).status_code == 403
    assert app.test_client().post("/sign-up", data={}).status_code == 403
