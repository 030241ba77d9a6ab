"""What a tested run comes to, as a page; and what two runs differ in."""
