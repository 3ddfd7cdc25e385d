"""Secrets that encrypt what a service keeps elsewhere: in its database, in a browser's cookie.

>>> from pydantic import TypeAdapter
>>> key = Fernet.generate_key().decode()
>>> secret = TypeAdapter(FernetKeys).validate_python(key)
>>> crypt_of(secret).decrypt(crypt_of(secret).encrypt(b"x"))
b'x'
"""

from typing import Annotated

from cryptography.fernet import Fernet, MultiFernet
from pydantic import AfterValidator, SecretStr


def _fernet_keys(value: SecretStr) -> SecretStr:
    for key in value.get_secret_value().split(","):
        try:
            Fernet(key)
        except ValueError:
            raise ValueError("each must be 32 bytes in URL-safe base64") from None
    return value


FernetKeys = Annotated[SecretStr, AfterValidator(_fernet_keys)]
"""Keys with commas between them: the first encrypts, all decrypt."""


def crypt_of(secret: SecretStr) -> MultiFernet:
    """What encrypts with the first key and decrypts with all."""
    return MultiFernet([Fernet(key) for key in secret.get_secret_value().split(",")])
