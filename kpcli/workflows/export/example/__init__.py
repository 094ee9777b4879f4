"""``kpcli export --example``: a script and a text beside a twin, to run it without kpcli."""
