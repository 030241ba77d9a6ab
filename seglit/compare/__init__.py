"""`seglit compare`: differences between tested runs, with confidence intervals."""
