"""kpcli: facial landmarks on the command line. Importing this loads nothing heavy."""

__version__ = "0.1.0"
