"""How fast seglit is: `make bench`. Measurements to read, never tests."""
