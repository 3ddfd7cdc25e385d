"""JSON Schemas (draft 7 to 2020-12, and OpenAPI's): does one accept all that the other accepts?"""

from .addresses import with_full_addresses
from .gaps import Code, Gap, Reading, Undecided
from .reading import constrains
from .subsets import Comparisons, gaps

__all__ = ["Code", "Comparisons", "Gap", "Reading", "Undecided", "constrains", "gaps", "with_full_addresses"]
