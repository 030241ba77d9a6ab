"""What the command line and YAML say, turned into objects, and their errors into one line."""
