"""``kpcli report``: one self-contained HTML page of a run, an evaluation, or two of a kind."""
