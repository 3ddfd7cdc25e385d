"""Text, and a connection for each call: names travel with every value, and a renamed field is missed at run time."""

import json
import urllib.request


def available(address: str, sku: str) -> int:
    with urllib.request.urlopen(f"{address}/items/{sku}") as answer:
        return int(json.load(answer)["available"])
