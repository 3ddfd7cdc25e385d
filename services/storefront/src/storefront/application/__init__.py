"""What the shop does, in terms of its domain and of ports."""
