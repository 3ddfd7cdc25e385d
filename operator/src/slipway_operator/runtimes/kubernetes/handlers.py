"""kopf as transport: it watches, and every event becomes a name in the queue. Nothing is decided or kept here.

``on.event`` alone: handlers of changes would write annotations and finalizers into every object, and see what they
were told instead of what is there. No index is used, so no limit of workers is needed, which would be a trap with one.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import kopf

from .access import Access
from .kinds import CHILDREN, MICROSERVICE, SERVICE_LABEL
from .looking import Key

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
REQUEST_SECONDS = 30
EXIT_SECONDS = 5


def settings() -> kopf.OperatorSettings:
    made = kopf.OperatorSettings()
    made.posting.enabled = False
    made.peering.standalone = True
    made.scanning.disabled = True
    made.networking.request_timeout = REQUEST_SECONDS
    made.networking.connect_timeout = CONNECT_SECONDS
    made.networking.enforce_retry_after = True
    # A watch that is silent heals by kopf's own inactivity timeout; this bounds it in any case.
    made.watching.server_timeout = 300
    made.watching.connect_timeout = CONNECT_SECONDS
    made.queueing.error_delays = (1, 2, 5, 10, 30)
    made.process.ultimate_exiting_timeout = EXIT_SECONDS
    for kind in CHILDREN:
        made.watching.label_selectors[kind.group, kind.version, kind.plural] = SERVICE_LABEL
    return made


def registry(access: Access, add: Callable[[Key], None], forget: Callable[[Key], None]) -> kopf.OperatorRegistry:
    made = kopf.OperatorRegistry()

    @kopf.on.login(registry=made)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(
            server=access.server,
            ca_data=access.authority,
            insecure=access.insecure or None,
            token=access.current_token(),
            certificate_data=access.certificate,
            private_key_data=access.key,
            default_namespace=access.namespace,
        )

    @kopf.on.event(MICROSERVICE.group, MICROSERVICE.version, MICROSERVICE.plural, registry=made)
    async def service_changed(event: Any, name: str, namespace: str | None, **_: Any) -> None:
        key = Key(namespace or "", name)
        if event["type"] == "DELETED":
            forget(key)
        else:
            add(key)

    for kind in CHILDREN:

        @kopf.on.event(kind.group, kind.version, kind.plural, registry=made, id=f"{kind.plural}-changed")
        async def child_changed(labels: Any, namespace: str | None, **_: Any) -> None:
            # A label that was taken away ends the watch of the child: the resync finds that it is missing.
            if SERVICE_LABEL in labels:
                add(Key(namespace or "", labels[SERVICE_LABEL]))

    return made


async def watch(
    access: Access,
    namespaces: Sequence[str],
    add: Callable[[Key], None],
    forget: Callable[[Key], None],
) -> None:
    """Until the process is asked to end, which kopf listens for. Without namespaces: all of them."""
    for noisy in ("kopf.objects", "kopf.activities"):  # a line for each event
        logging.getLogger(noisy).setLevel(logging.WARNING)
    await kopf.operator(
        registry=registry(access, add, forget),
        settings=settings(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=list(namespaces),
    )
