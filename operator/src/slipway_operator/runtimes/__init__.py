"""Where versions of services run: in a cluster (``kubernetes``), or as processes on one machine (``local``)."""
