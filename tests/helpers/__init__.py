"""Fakes, tiny models, media and datasets that tests build."""
