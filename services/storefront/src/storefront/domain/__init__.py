"""What the shop shows, and what a session is. Standard library alone: no network, no clock, no chance."""
