"""``kpcli annotate`` and ``kpcli merge``: pictures and videos to tables and overlays."""
