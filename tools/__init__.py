"""Tools of the repository, run by make; not part of the package."""
