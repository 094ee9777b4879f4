"""``kpcli eval``: a bundle scored on a split by a named protocol."""
