"""Face detectors, one file each; a spec is ``name`` or ``name:argument``."""

from __future__ import annotations

from kpcli.catalogue import DETECTORS
from kpcli.options import AUTO, DETECT_SIZE
from kpcli.plug_ins import Detector


def create_detector(spec: str, size: int = DETECT_SIZE, device: str = AUTO) -> Detector:
    """The detector of a spec such as ``haar`` or ``boxes_file:boxes.csv``.

    ``size`` is the long side in pixels at which it looks for faces (where it looks at all);
    ``device``, one of `kpcli.options.DEVICES`, is where kpcli's own detector runs.

    Raises
    ------
    UsageError
        If the name is unknown or its argument is missing or not taken.
    InputError
        If the file that the argument names cannot be used.
    ModelError
        If something the detector needs is not installed.
    """
    name, colon, argument = spec.partition(":")
    return DETECTORS.load(name).create(argument if colon else None, size, device)


__all__ = ["DETECTORS", "create_detector"]
