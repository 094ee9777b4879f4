"""The version, apart from the package's names so that every module may read it."""

__version__ = "0.2.0"
