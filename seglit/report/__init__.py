"""`seglit report`: an HTML page about a tested run."""
