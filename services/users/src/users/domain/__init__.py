"""Rules about users. Standard library alone: no database, no clock, no chance."""
