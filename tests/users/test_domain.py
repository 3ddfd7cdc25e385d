from datetime import UTC, datetime
from uuid import UUID

from users.domain.events import UserRegistered
from users.domain.model import User

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = UUID(int=1)


def test_registering_a_user_is_an_event():
    user = User.register(user_id=ID, name="Ada", email="Ada@Example.org", now=NOW)

    assert user.events == [UserRegistered(user_id=ID, name="Ada", registered_at=NOW)]
    assert user.version == 1


def test_the_email_is_kept_in_lower_case():
    assert User.register(user_id=ID, name="Ada", email="Ada@Example.ORG", now=NOW).email == "ada@example.org"
