"""``kpcli prepare``: datasets of any format to one validated CSV."""
