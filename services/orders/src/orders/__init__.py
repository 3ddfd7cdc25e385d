"""Orders: what users want to buy. Knows customers only as far as events told their names."""
