"""Inventory: what can be sold, how many there are, and which orders hold them."""
