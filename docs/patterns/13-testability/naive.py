"""A test that says what was written: the table may be gone, and it stays green."""

from unittest.mock import Mock


def test_an_order_is_saved() -> None:
    session, order = Mock(), Mock()
    session.add(order)
    session.commit()
    session.add.assert_called_once_with(order)
    session.commit.assert_called_once_with()
