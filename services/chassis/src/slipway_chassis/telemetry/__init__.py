"""What a process tells about itself: JSON logs (``logs``), metrics and health (``admin``), and the
identifiers that tie both to a request (``correlation``).
"""
