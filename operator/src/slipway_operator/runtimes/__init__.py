"""Where versions of services run: on this machine (``local``)."""
