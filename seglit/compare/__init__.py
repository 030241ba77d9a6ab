"""What tested runs differ in, and whether it is more than chance."""
