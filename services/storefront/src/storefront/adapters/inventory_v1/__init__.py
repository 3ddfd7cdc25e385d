"""Made from inventory.proto by `make generate`."""
