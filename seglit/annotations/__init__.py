"""Label formats, one file each: what annotation tools write, read without torch."""
