"""kpcli: facial landmarks on the command line. Importing this loads nothing heavy."""

import os

# ONNX Runtime 1.29 and later else write a device id below the home folder, and report home. It
# reads this when it is imported, in workers and on Ray's nodes too: all of them import kpcli first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
