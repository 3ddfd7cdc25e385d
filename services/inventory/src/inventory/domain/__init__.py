"""Rules about stock. Standard library alone: no database, no clock, no chance."""
