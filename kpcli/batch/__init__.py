"""Many files through one function, safe against kills: what annotate and anonymise share.

A plan (which files, in which chunks), a ledger (what is done, on disk), engines (who does the
chunks), and a report (what came of it). What is done with a file, a `Job` says.
"""
