"""What a tested run comes to, as a page."""
