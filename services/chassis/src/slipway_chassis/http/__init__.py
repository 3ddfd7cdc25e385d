"""HTTP: the Flask application of a service (``app``), its errors (``problems``), its input (``body``)
and the server that runs it (``server``).
"""
