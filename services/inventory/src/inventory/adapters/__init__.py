"""Ports implemented with real things: PostgreSQL by SQLAlchemy, streams by the chassis."""
