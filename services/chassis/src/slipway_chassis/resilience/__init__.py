"""Calls to others that fail well: circuit breaker, retries with a budget, bulkhead.

Each is usable alone, as a decorator or by ``call``; ``Guard`` puts them together in the order that
works: retry outside, then the breaker, then the bulkhead. The HTTP and gRPC clients have one inside.
"""

from .breaker import Breaker, State, breaker_states
from .bulkhead import Bulkhead
from .guard import Guard
from .retry import Retry, RetryBudget

__all__ = ["Breaker", "Bulkhead", "Guard", "Retry", "RetryBudget", "State", "breaker_states"]
