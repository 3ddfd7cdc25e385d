"""Users: who they are, and the list of their orders as told by the orders service."""
