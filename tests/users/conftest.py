import json

import pytest
from cryptography.fernet import Fernet
from joserfc.jwk import ECKey, KeySet

from users.settings import UsersSettings

SHOP = "https://shop.example.org"
CALLBACK = f"{SHOP}/signed-in"


@pytest.fixture(scope="session", name="robot_key")
def _robot_key():
    """With it the client ``robot`` proves who it is."""
    return ECKey.generate_key("P-256", {"kid": "robot-1", "use": "sig"})


@pytest.fixture(name="users_settings")
def _users_settings(robot_key):
    shop = {"id": "shop", "redirect_uris": [CALLBACK], "scopes": ["openid", "profile", "email", "users:read"]}
    robot = {
        "id": "robot",
        "grants": ["client_credentials"],
        "scopes": ["users:read", "users:any"],
        "keys": KeySet([robot_key]).as_dict(private=False),
    }
    return UsersSettings.model_validate(
        {
            "auth_issuer": SHOP,
            "auth_audience": "api",
            "signing_keys_secret": Fernet.generate_key().decode(),
            "oauth_clients": json.dumps([shop, robot]),
        }
    )
