"""``kpcli export``: a bundle in other runtimes' formats."""
