"""Names of servers become addresses within a number of seconds.

The system's resolver has limits of its own (``resolv.conf``), which nobody can shorten for one question, and it can't
be interrupted. So it is asked in a thread that is left behind when time is over, and there are few of these.
"""

import socket
import threading
from dataclasses import dataclass, field

MOST_ADDRESSES = 8  # of one name: each may take a while that leads nowhere
MOST_QUESTIONS = 16  # of this process, those that were left behind among them
Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
_places = threading.BoundedSemaphore(MOST_QUESTIONS)


@dataclass
class _Question:
    host: str
    port: int
    found: list[Address] = field(default_factory=list)
    failure: OSError | None = None
    told: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        try:
            answers = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self.found = [(family, address) for family, _, _, _, address in answers[:MOST_ADDRESSES]]
        except UnicodeError:  # a label that is empty or too long
            self.failure = socket.gaierror(socket.EAI_NONAME, "it is no name of a server")
        except OSError as error:
            self.failure = error
        finally:
            _places.release()
            self.told.set()


def addresses_of(host: str, port: int, *, seconds: float) -> list[Address]:
    """In the resolver's order. Raises TimeoutError where it does not answer within ``seconds``, or where as many
    questions as may be are open already; socket.gaierror for a name that is none.
    """
    if seconds <= 0 or not _places.acquire(timeout=seconds):
        raise TimeoutError(f"the address of {host[:100]} was not looked up in time")
    question = _Question(host, port)
    try:
        threading.Thread(target=question.ask, name="resolving", daemon=True).start()
    except RuntimeError:  # the system gives no thread
        _places.release()
        raise TimeoutError(f"the address of {host[:100]} can't be looked up: no thread is left") from None
    if not question.told.wait(seconds):
        raise TimeoutError(f"the address of {host[:100]} was not found within {seconds:.1f} s")
    if question.failure:
        raise question.failure
    return question.found
