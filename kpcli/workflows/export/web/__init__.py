"""``kpcli export --to web``: a model as one HTML file that runs it in the browser."""

from __future__ import annotations

from kpcli.workflows.export.web.run import write_page as write_page
