"""Drawing of predictions, charts, confusion matrices and HTML pages."""
