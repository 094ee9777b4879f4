"""``kpcli export --example``: a script and a text beside an export, to run it without kpcli."""
