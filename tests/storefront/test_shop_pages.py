"""The pages and the API, against servers that stand for the services behind them."""

import re
import uuid

import pytest

TEA = {"sku": "tea-green", "name": "Green tea", "price_cents": 450, "available": 7}


def field(answer, name):
    return re.search(rf'name="{name}" value="([^"]*)"', answer.text)[1]


def order_tea(browser, **changed):
    page = browser.get("/items/tea-green")
    names = ("form_token", "key", "item", "price_cents")
    return browser.post("/orders", data={name: field(page, name) for name in names} | {"quantity": "2"} | changed)


@pytest.fixture(name="confirmed")
def _confirmed(ada, back_ends):
    """The path of an order that can be paid."""
    path = order_tea(ada).headers["Location"]
    back_ends.orders.orders[path.rpartition("/")[2]]["status"] = "confirmed"
    return path


def submit(browser, path, action, **data):
    page = browser.get(path)
    kept = {name: field(page, name) for name in ("form_token", "key")}
    return browser.post(f"{path}/{action}", data=kept | data)


# --- home


def test_home_shows_what_is_for_sale(browser):
    page = browser.get("/")

    assert page.status_code == 200
    assert "Green tea" in page.text
    assert "€ 4.50" in page.text
    assert "Black &lt;tea&gt;" in page.text
    assert "sold out" in page.text
    assert 'role="status"' not in page.text


def test_home_greets_who_is_signed_in_and_lists_their_last_orders(ada, back_ends):
    order_id = str(uuid.uuid4())
    order = {"order_id": order_id, "item": "tea-green", "quantity": 2, "total_cents": 900}
    back_ends.users.orders = [order | {"placed_at": "2026-01-02T03:04:05Z", "status": "paid"}]

    page = ada.get("/")

    assert "Hello, Ada" in page.text
    assert f'href="/orders/{order_id}"' in page.text
    assert "tea-green" in page.text


@pytest.mark.parametrize("how", ["slow", "down", "failing"])
def test_home_goes_on_without_users_and_says_so(ada, app_of, settings, back_ends, how):
    browser = app_of(settings.model_copy(update={"part_timeout_seconds": 0.3})).test_client()
    browser._cookies = ada._cookies
    back_ends.users.gone = how == "down"
    back_ends.users.slow = how == "slow"
    back_ends.users.status = (500, {}) if how == "failing" else None

    page = browser.get("/")

    assert page.status_code == 200
    assert "Green tea" in page.text
    assert '<p class="notice" role="status">' in page.text
    assert "missing at the moment: your last orders and your account." in page.text
    assert "Sign out" in page.text


def test_the_api_names_a_part_that_answers_after_five_seconds(app_of, settings, back_ends):
    back_ends.inventory.slow = True
    browser = app_of(settings.model_copy(update={"part_timeout_seconds": 0.2})).test_client()

    answers = [browser.get("/v1/home").get_json() for _ in range(10)]

    missing = {"items": [], "orders": [], "user": None, "partial": True, "missing": ["inventory"]}
    assert answers == [missing] * 10
    assert back_ends.inventory.calls < 10  # after three the circuit opens; some are under way by then


def test_a_part_that_fails_is_asked_once_per_page(browser, back_ends):
    back_ends.users.status = (503, {})
    token = back_ends.issuer.token("1")

    browser.get("/v1/home", headers={"Authorization": f"Bearer {token}"})

    assert len(back_ends.users.asked) == 2  # the user and their orders


def test_the_api_shows_the_users_parts_to_who_sends_a_token(browser, back_ends):
    token = back_ends.issuer.token("1", scopes=["users:read"])

    shown = browser.get("/v1/home", headers={"Authorization": f"Bearer {token}"}).get_json()

    assert shown["items"][1] == TEA | {"sku": "tea-black", "name": "Black <tea>", "price_cents": 399, "available": 0}
    assert shown["user"]["name"] == "Ada"
    assert (shown["orders"], shown["partial"], shown["missing"]) == ([], False, [])
    assert {asked.headers["Authorization"] for asked in back_ends.users.asked} == {f"Bearer {token}"}


def test_the_api_is_public_refuses_wrong_tokens_and_knows_no_cookies(ada, back_ends):
    assert ada.get("/v1/home").get_json() == {
        "items": [TEA, TEA | {"sku": "tea-black", "name": "Black <tea>", "price_cents": 399, "available": 0}],
        "orders": [], "user": None, "partial": False, "missing": [],
    }  # fmt: skip
    refused = ada.get("/v1/home", headers={"Authorization": "Bearer made-up"})
    assert refused.status_code == 401
    assert refused.mimetype == "application/problem+json"


def test_trace_request_id_and_deadline_reach_every_part(browser, back_ends):
    headers = {
        "Authorization": f"Bearer {back_ends.issuer.token('1')}",
        "X-Request-Id": "r-1",
        "X-Request-Deadline": "9999999999",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    }

    browser.get("/v1/home", headers=headers)

    for asked in back_ends.users.asked:
        assert asked.headers["X-Request-Id"] == "r-1"
        assert asked.headers["traceparent"][3:35] == "0af7651916cd43dd8448eb211c80319c"
        assert float(asked.headers["X-Request-Deadline"]) > 0


# --- ordering


def test_an_item_is_ordered_at_the_price_that_was_shown(ada, back_ends):
    answer = order_tea(ada)

    [(order_id, order)] = back_ends.orders.orders.items()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/orders/{order_id}")
    assert (order["item"], order["quantity"], order["unit_price_cents"]) == ("tea-green", 2, 450)
    [asked] = back_ends.orders.asked
    assert uuid.UUID(asked.headers["Idempotency-Key"])
    assert asked.headers["Authorization"].startswith("Bearer ey")


@pytest.mark.parametrize(
    ("changed", "text"),
    [({"quantity": "two"}, "The quantity must be a whole number"), ({"quantity": "0"}, "quantity: Input should be"),
     ({"quantity": "1001"}, "at most 1000"), ({"price_cents": "-1"}, "The price must be")],
)  # fmt: skip
def test_what_is_wrong_with_an_order_is_said_beside_the_form(ada, back_ends, changed, text):
    refused = order_tea(ada, **changed)

    assert refused.status_code == 422
    assert text in refused.text
    assert 'role="alert"' in refused.text
    assert back_ends.orders.orders == {}


def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(browser):
    assert "Sign in to order" in browser.get("/items/tea-green").text
    assert browser.get("/orders?after=1").headers["Location"] == "/sign-in?next=/orders%3Fafter%3D1"
    order = f"/orders/{uuid.uuid4()}"
    assert browser.get(order).headers["Location"] == f"/sign-in?next={order}"
    assert browser.post(f"{order}/pay").headers["Location"] == f"/sign-in?next={order}"


def test_unknown_items_and_others_orders_are_not_found(ada):
    for path in ("/items/nothing", f"/orders/{uuid.uuid4()}"):
        page = ada.get(path)
        assert page.status_code == 404
        assert page.mimetype == "text/html"


@pytest.mark.parametrize("action", ["orders", "pay", "cancel"])
@pytest.mark.parametrize("token", ["", "made-up"])
def test_a_foreign_form_changes_nothing(ada, back_ends, confirmed, action, token):
    path = "/orders" if action == "orders" else f"{confirmed}/{action}"
    before = [asked.method for asked in back_ends.orders.asked]

    refused = ada.post(path, data={"form_token": token, "key": str(uuid.uuid4()), "card": "card-ok"})

    assert refused.status_code == 403
    assert [asked.method for asked in back_ends.orders.asked] == before


def test_an_order_without_a_key_is_refused(ada, back_ends):
    assert order_tea(ada, key="").status_code == 403
    assert order_tea(ada, key="a\r\nb").status_code == 403
    assert back_ends.orders.orders == {}


def test_an_order_is_paid(ada, back_ends, confirmed):
    assert "Pay € 9.00" in ada.get(confirmed).text

    answer = submit(ada, confirmed, "pay", card="card-ok")

    assert (answer.status_code, answer.headers["Location"]) == (303, confirmed)
    page = ada.get(confirmed)
    assert 'data-status="paid"' in page.text
    assert "Pay €" not in page.text
    assert "data-events" not in page.text


def test_a_declined_card_is_said_beside_the_form(ada, confirmed):
    refused = submit(ada, confirmed, "pay", card="card-declined")

    assert refused.status_code == 402
    assert "The card was declined. Use another." in refused.text
    assert '<option value="card-declined" selected>' in refused.text


def test_a_payment_without_an_answer_may_be_tried_again_with_its_key(ada, confirmed):
    key = field(ada.get(confirmed), "key")
    form_token = field(ada.get(confirmed), "form_token")
    refused = ada.post(f"{confirmed}/pay", data={"key": key, "form_token": form_token, "card": "card-unavailable"})

    assert refused.status_code == 503
    assert "try again" in refused.text
    assert field(refused, "key") == key


def test_payments_without_an_answer_do_not_hide_the_orders(ada, confirmed):
    for _ in range(12):
        submit(ada, confirmed, "pay", card="card-unavailable")

    assert ada.get(confirmed).status_code == 200


def test_an_order_is_cancelled(ada, confirmed):
    assert submit(ada, confirmed, "cancel").status_code == 303
    assert 'data-status="cancelled"' in ada.get(confirmed).text


def test_orders_lists_ones_own(ada, confirmed):
    page = ada.get("/orders")

    assert f'href="{confirmed}"' in page.text
    assert "confirmed" in page.text


def test_orders_being_away_is_said(ada, back_ends):
    back_ends.orders.status = (503, {})

    page = ada.get("/orders")

    assert page.status_code == 503
    assert page.headers["Retry-After"]
    assert 'role="alert"' in page.text


# --- live


def events(answer):
    return [line for line in answer.text.splitlines() if line.startswith(("event:", "data:", "retry:"))]


def test_a_final_order_is_told_once(ada, back_ends, confirmed):
    submit(ada, confirmed, "cancel")

    answer = ada.get(f"/live{confirmed}")

    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert events(answer) == ["retry: 2000", "event: final", 'data: {"status": "cancelled", "reason": ""}']


def test_a_change_is_told_while_the_page_is_open(ada, back_ends, confirmed):
    order = back_ends.orders.orders[confirmed.rpartition("/")[2]]
    answer = ada.get(f"/live{confirmed}", buffered=False)
    pieces = iter(answer.response)
    before = [next(pieces), next(pieces)]
    order["status"] = "paid"

    assert b'"status": "confirmed"' in before[1]
    assert next(pieces) == b'event: final\ndata: {"status": "paid", "reason": ""}\n\n'
    assert next(pieces, None) is None
    answer.close()


def test_so_many_pages_of_a_visitor_are_live_and_no_more_until_one_ends(ada, confirmed):
    live = [ada.get(f"/live{confirmed}", buffered=False) for _ in range(2)]  # the third place is another visitor's

    refused = ada.get(f"/live{confirmed}")

    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert ada.head(f"/live{confirmed}").status_code == 503
    live.pop().close()
    again = ada.get(f"/live{confirmed}", buffered=False)
    assert again.status_code == 200
    for one in [*live, again]:
        one.close()


def test_places_are_given_back_whatever_happens(ada, confirmed):
    for _ in range(4):
        assert ada.get(f"/live/orders/{uuid.uuid4()}").status_code == 404
        assert ada.head(f"/live{confirmed}").status_code == 200
        ada.get(f"/live{confirmed}", buffered=False).close()


def test_a_stream_is_not_redirected(browser):
    assert browser.get(f"/live/orders/{uuid.uuid4()}").status_code == 401


def test_a_draining_process_ends_its_streams(ada, app_of, settings, confirmed):
    browser = app_of(settings, draining=True).test_client()
    browser._cookies = ada._cookies

    assert events(browser.get(f"/live{confirmed}"))[1] == "event: state"


# --- headers


def test_pages_allow_nothing_but_their_own_files(ada):
    headers = ada.get("/").headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_has_a_script_or_a_style_in_it(ada, confirmed):
    for path in ("/", "/items/tea-green", "/orders", confirmed, "/sign-up", "/items/nothing"):
        text = ada.get(path).text
        assert "<style" not in text
        assert not re.search(r"<script(?! src=)|\son\w+=|\sstyle=", text)
        assert '<html lang="en">' in text


def test_static_files_are_kept_under_their_digest_alone(browser):
    [address] = re.findall(r'href="(/static/shop\.css[^"]*)"', browser.get("/").text)

    kept = browser.get(address)
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert kept.mimetype == "text/css"
    assert browser.get("/static/shop.css?v=other").headers["Cache-Control"] == "no-cache"
    for name in ("nothing.js", "..%2fshop.py", ".."):
        assert browser.get(f"/static/{name}").status_code in {404, 308}


def test_what_goes_wrong_unexpectedly_is_a_page_without_details(ada, back_ends):
    back_ends.orders.status = (200, {"orders": [{"id": "secret"}]})

    page = ada.get("/orders")

    assert page.status_code == 502
    assert "secret" not in page.text
