"""Training from Python and notebooks: `seglit.fit`."""
