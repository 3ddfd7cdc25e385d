"""Orders reads the table of users: a change of that table is a change of orders from now on."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def name_of_customer(session: Session, user_id: str) -> str:
    found = session.execute(text("SELECT name FROM users WHERE id = :id"), {"id": user_id})
    return str(found.scalar_one())
