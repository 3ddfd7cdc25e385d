"""Made from inventory.proto: make generate."""
