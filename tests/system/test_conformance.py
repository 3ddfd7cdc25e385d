"""schemathesis asks every operation of every API version in every way its description allows, and in some it does not.

The services are asked directly, so that what they answer is held against what they promise; and through the
gateway, which may refuse more, and must answer no 5xx either.
"""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks

from orders.bootstrap import SERVICE as ORDERS
from slipway_chassis.cli.exporting import openapi
from slipway_chassis.testing.plugin import eventually
from storefront.bootstrap import SERVICE as STOREFRONT
from support.shop import Customer
from users.bootstrap import SERVICE as USERS

pytestmark = [pytest.mark.demo, pytest.mark.timeout(900)]
checks.load_all_checks()
CONFORMING = checks.CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    ]
)
DECLARED = (USERS, ORDERS, STOREFRONT)
SCHEMAS = {declared.name: schemathesis.openapi.from_dict(openapi(declared, "1")) for declared in DECLARED}
# A customer may not: they are for the shop's staff, or ask for a password that no description tells.
CLOSED = {"users GET /v1/users", "users POST /v1/users", "users POST /v2/users/me/password"}
EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
OPERATIONS = {
    f"{name} {operation.ok().method.upper()} {operation.ok().path}": (name, operation.ok())
    for name, schema in SCHEMAS.items()
    for operation in schema.get_all_operations()
}


@pytest.fixture(scope="module", name="customer")
def _customer(shop):
    return Customer(shop.url)


def test_every_version_is_asked():
    versions = {path.split("/")[1] for path in (key.rpartition(" ")[2] for key in OPERATIONS)}

    assert versions >= {"v1", "v2"}


def cases():
    """Where nothing can be given, nothing wrong can."""
    for name, (_, operation) in OPERATIONS.items():
        yield name, GenerationMode.POSITIVE
        if any(operation.iter_parameters()) or operation.body:
            yield name, GenerationMode.NEGATIVE


@pytest.fixture(scope="module", name="known")
def _known(shop, customer):
    """Ids that exist: with made-up ones no answer but 404 would ever be seen."""
    body = {"item": "tea", "quantity": 1, "unit_price_cents": 350}
    placed = eventually(lambda: _confirmed(customer, customer.call("POST", "/v1/orders", body)[1]["id"]))
    return {"order_id": placed, "user_id": customer.id}


def _confirmed(customer, order_id):
    eventually(lambda: customer.call("GET", f"/v1/orders/{order_id}")[1]["status"] != "placed")
    return order_id


@pytest.mark.parametrize(("name", "mode"), list(cases()), ids=lambda part: getattr(part, "value", part))
def test_answers_are_what_the_description_promises(name, mode, shop, customer, known):
    service, operation = OPERATIONS[name]
    direct = f"http://127.0.0.1:{shop.child(f'{service} http').env['HTTP_PORT']}"
    positive = mode is GenerationMode.POSITIVE
    given_ids = {key: value for key, value in known.items() if positive and f"{{{key}}}" in operation.path}
    answered = Counter()

    @EXAMPLES
    @given(operation.as_strategy(generation_mode=mode, path_parameters=given_ids or None))
    def ask(case):
        headers = {"Authorization": f"Bearer {customer.token}"}
        answer = case.call(base_url=direct, headers=headers)
        answered[answer.status_code] += 1
        case.validate_response(answer, checks=CONFORMING)
        through = case.call(base_url=shop.url, headers=headers)
        case.validate_response(through, checks=[checks.not_a_server_error])

    ask()
    print(f"{name} ({mode.value}): {dict(answered)}")
    if positive and name not in CLOSED:
        assert any(200 <= status < 300 for status in answered), answered
