"""What the service does, in terms of its domain and of ports."""
