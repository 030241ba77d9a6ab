"""Everything that is looked at: predictions, charts, confusion matrices, pages."""
