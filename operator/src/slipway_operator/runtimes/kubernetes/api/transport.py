"""Connections by one login, on the official client's transport. They are closed when their last request has ended."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from ....errors import Unreachable
from .answers import Manifest, manifest_of
from .login import Login
from .proxies import without_passwords

CONNECTIONS = 20


class Transport:
    def __init__(self, login: Login, *, agent: str, timeout: float) -> None:
        self._client = _api_client(login)
        self._client.user_agent = agent
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._requests = 0
        self._retired = False

    async def retire(self) -> None:
        """No new request goes by it. aiohttp would cancel those that wait for a connection, and cut the others."""
        self._retired = True
        if not self._requests:
            await self.close()

    async def close(self) -> None:
        await self._client.close()

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            if self._retired and not self._requests:
                await self.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        body: Manifest | None,
    ) -> Manifest:
        """Counted from its call to its end: nothing is awaited before.

        Raises:
            KubernetesError: there was no answer, or it is an error
        """
        what = f"{method} {path}"
        async with self._counted():
            try:
                _, url, sent, data, _ = await self._client.param_serialize(
                    method, path, query_params=list(query.items()), header_params=dict(headers), body=body
                )
                answer = await self._client.call_api(method, url, sent, data, _request_timeout=self._timeout)
                async with answer.response as response:
                    return await manifest_of(response, what)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                said = without_passwords(str(error)) or type(error).__name__
                # Not "from error": a proxy's address in it has the proxy's password.
                raise Unreachable(f"{what}: {said}") from None


class _Session:
    """As far as the client uses aiohttp's. A redirect would carry the login to whatever it leads to."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, **arguments: Any) -> aiohttp.ClientResponse:
        return await self._session.request(**arguments, allow_redirects=False)

    async def close(self) -> None:
        await self._session.close()


class _RestClient(RESTClientObject):  # type: ignore[misc] # its package is not typed
    def _create_pool_manager(self) -> _Session:
        return _Session(super()._create_pool_manager())


def _api_client(login: Login) -> ApiClient:
    configuration = Configuration(
        host=login.server,
        ca_cert_data=login.authority,
        verify_ssl=not login.insecure,
        proxy=login.proxy,
        connection_pool_maxsize=CONNECTIONS,
        # It would read passwords from ~/.netrc, and NO_PROXY without its networks: the proxy is chosen here.
        client_session_kwargs={"trust_env": False, "headers": login.impersonation},
    )
    made = ApiClient(configuration)
    made.rest_client = _RestClient(configuration)
    made.rest_client.ssl_context = login.tls()  # its own takes certificates from files that stay behind
    return made
