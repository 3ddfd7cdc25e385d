"""A lesson about images: the one of here and a naive one are run and stopped, by Docker."""

from collections.abc import Mapping

from pydantic import Field

from .judged import Judged

HARM = "killed"


class Containers(Judged):
    """``service``: whose image it is. A container of it gets ``settings``, in which ``${secret}`` stands for a key of
    this run, and is stopped once it has answered ``path``. It may not have to be killed, and the one of
    ``naive.Dockerfile`` has to be; ``holds`` are further relations.
    """

    service: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    path: str = Field(pattern=r"^/[!-~]{0,200}$")
    settings: Mapping[str, str] = {}
