"""What the tests of backups share."""

import uuid

import pytest


@pytest.fixture(name="name")
def _name():
    """Of a database and of its role, which no other test has."""
    return f"t{uuid.uuid4().hex[:12]}"
