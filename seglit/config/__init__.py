"""Builds objects from the command line and YAML, and turns the parser's errors into one line."""
