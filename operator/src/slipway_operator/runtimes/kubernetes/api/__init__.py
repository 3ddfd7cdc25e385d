"""The only room that knows the official client. Its package asks for a home directory when it is imported."""

import os
import tempfile
from pathlib import Path

try:
    Path.home()
except RuntimeError:  # a user of a container, who is a number alone
    os.environ["HOME"] = tempfile.gettempdir()
