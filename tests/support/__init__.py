"""What tests of several folders share. tests/ is on the import path: ``from support.shop import Customer``."""
