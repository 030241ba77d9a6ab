"""Files to arrays and back, and which files belong together; no torch."""
