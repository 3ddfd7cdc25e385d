"""The name of a customer is for users to know: orders asks for it, whenever somebody looks at an order."""

import json
import os
import urllib.request
from uuid import UUID

from flask import request

from .adapters.repositories import SqlCustomers
from .domain.model import Customer


def ask_users(_: SqlCustomers, user_id: UUID) -> Customer:
    address = f"{os.environ['NAIVE_USERS_URL']}/v2/users/{user_id}"
    asked = urllib.request.Request(address, headers={"Authorization": request.headers["Authorization"]})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return Customer(user_id=user_id, name=json.load(answer)["name"])


SqlCustomers.get = ask_users  # type: ignore[method-assign]
