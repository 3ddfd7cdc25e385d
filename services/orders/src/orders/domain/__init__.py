"""Rules about orders. Standard library alone: no database, no clock, no chance."""
