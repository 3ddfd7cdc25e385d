"""What docs/bring-your-own.md shows is run as it stands there."""

import re

from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys
from slipway_chassis.resources import Resources
from support.repository import ROOT

PAGE = (ROOT / "docs" / "bring-your-own.md").read_text()


def test_the_application_of_the_page_is_a_service(issuer):
    [written] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    there = {}
    exec(written, there)  # noqa: S102 # as readers do
    verifier = Verifier(Keys(issuer.fetch), issuer=issuer.url, audience=issuer.audience)

    client = there["HELLO"].build_app(Resources(verifier=verifier)).test_client()

    assert client.get("/").text == "Hello"
    assert client.post("/greetings").status_code == 401
    token = issuer.token("ada", scopes=["greetings:write"])
    assert client.post("/greetings", headers={"Authorization": f"Bearer {token}"}).get_json() == {"from": "ada"}
