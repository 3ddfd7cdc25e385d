"""Configured clients, as Authlib wants to ask them."""

from authlib.oauth2.rfc7523 import JWTBearerClientAssertion

from ..settings import Client
from .signing_keys import ALGORITHM

PRIVATE_KEY_JWT = JWTBearerClientAssertion.CLIENT_AUTH_METHOD


class OAuthClient:
    """One with keys proves itself by a signed assertion; one without is public."""

    def __init__(self, declared: Client) -> None:
        self.declared = declared
        self.client_id = declared.id
        self.token_endpoint_auth_method = PRIVATE_KEY_JWT if declared.keys else "none"
        self.id_token_signed_response_alg = ALGORITHM

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        return self.declared.redirect_uris[0] if len(self.declared.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(one for one in (scope or "").split() if one in self.declared.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.declared.redirect_uris

    def check_client_secret(self, _secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == self.token_endpoint_auth_method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.declared.grants

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.declared.grants
