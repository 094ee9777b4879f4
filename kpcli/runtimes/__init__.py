"""What runs a model's weights: one file a library. Open one with `open_runtime`."""

from __future__ import annotations

from importlib.util import find_spec

from kpcli import catalogue
from kpcli.errors import ModelError
from kpcli.model_bundle import ModelBundle

AUTO = "auto"

_limit = 0


def limit_threads(count: int) -> None:
    """What 0 threads mean in this process from now on: a worker, one of a core, takes 1."""
    global _limit
    _limit = count


def open_runtime(bundle: ModelBundle, name: str = AUTO, threads: int = 0) -> catalogue.Runtime:
    """The bundle's model, ready to run.

    Parameters
    ----------
    bundle : ModelBundle
    name : str
        A name of `catalogue.RUNTIMES`, or ``auto``: the first of them, in the table's order,
        whose file is in the bundle and whose library is installed.
    threads : int
        CPU threads of one run; 0: as many as the library likes.

    Raises
    ------
    UsageError
        If there is no such runtime.
    ModelError
        If the bundle lacks its file, its library is not installed, or the file is damaged.
    """
    if name == AUTO:
        name = _fastest(bundle)
    module = catalogue.RUNTIMES.load(name)
    _check(bundle, name, module)
    return module.create(bundle.path / module.FILE, threads or _limit)


def usable(bundle: ModelBundle) -> list[str]:
    """Names of the runtimes that can run this bundle here, fastest first."""
    return [name for name in catalogue.RUNTIMES if _lacks(bundle, name) is None]


def _fastest(bundle: ModelBundle) -> str:
    names = usable(bundle)
    if not names:
        files = [catalogue.RUNTIMES.load(name).FILE for name in catalogue.RUNTIMES]
        raise ModelError(
            f"{bundle.path}: the bundle holds no weights that can be run here",
            expected=f"one of {', '.join(files)}, and its library",
        )
    return names[0]


def _lacks(bundle: ModelBundle, name: str) -> str | None:
    """``file`` or ``library``, whichever this runtime lacks first; None if it can run."""
    module = catalogue.RUNTIMES.load(name)
    if not (bundle.path / module.FILE).exists():
        return "file"
    return None if find_spec(module.PACKAGE) else "library"


def _check(bundle: ModelBundle, name: str, module: catalogue.RuntimeModule) -> None:
    lacks = _lacks(bundle, name)
    if lacks == "file":
        raise ModelError(
            f"{bundle.path}: the bundle holds no {module.FILE} for the runtime {name}",
            next_step=f"make it with `kpcli export {bundle.path} --to {name}`, or leave "
            "--runtime away"
            if name != "keras"
            else "choose another --runtime",
        )
    if lacks == "library":
        raise ModelError(
            f"the runtime {name} needs {module.PACKAGE}, which is not installed",
            next_step=f"pip install '{module.INSTALL}'",
        )
