"""``kpcli bench``: how fast kpcli is on this machine, part by part, or a model layer by layer."""
