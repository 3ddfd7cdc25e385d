"""The address of users, as it was when this was written: the setting is read once, and nobody tells of a move."""

import os

os.environ["USERS_URL"] = os.environ.get("NAIVE_USERS_URL", "http://127.0.0.1:18010")
