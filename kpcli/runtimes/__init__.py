"""What runs a model's weights: one file a library. Open one with `open_runtime`."""

from __future__ import annotations

from importlib.util import find_spec

from kpcli import catalogue, plug_ins
from kpcli.errors import ModelError
from kpcli.model_bundle import ModelBundle
from kpcli.options import AUTO
from kpcli.runtimes.probe import check_outputs
from kpcli.runtimes.processor import int8_is_fast, int8_verdict

FLOAT = "onnx_float"
_limit = 0


def limit_threads(count: int) -> None:
    """What 0 threads mean in this process from now on: a worker, one of a core, takes 1."""
    global _limit
    _limit = count


def open_runtime(
    bundle: ModelBundle, name: str = AUTO, threads: int = 0, device: str = AUTO
) -> plug_ins.Runtime:
    """The bundle's model, ready to run.

    Parameters
    ----------
    bundle : ModelBundle
    name : str
        A name of `catalogue.RUNTIMES`, or ``auto``: the first that is `usable`.
    threads : int
        CPU threads of one run; 0: as many as the library likes.
    device : str
        One of `kpcli.options.DEVICES`.

    Raises
    ------
    UsageError
        If there is no such runtime.
    ModelError
        If the bundle lacks its file, its library is not installed, the file is damaged, or the
        model is not what the card says.
    """
    if name == AUTO:
        name = _fastest(bundle, device)
    module = catalogue.RUNTIMES.load(name)
    _check(bundle, name, module)
    file = bundle.file(module.FILE)
    runtime = module.create(file, threads or _limit, device)
    check_outputs(runtime, bundle.card, file)
    return runtime


def usable(bundle: ModelBundle) -> list[str]:
    """Names of the runtimes that can run this bundle here, fastest first.

    The order is the table's, but for float32 before int8 where the processor asks for it.
    """
    names = [name for name in catalogue.RUNTIMES if _lacks(bundle, name) is None]
    return names if int8_is_fast() else sorted(names, key=lambda name: name != FLOAT)


def choice(bundle: ModelBundle) -> str:
    """Which of the bundle's exports ``--runtime auto`` takes here, of which, and why.

    Raises
    ------
    ModelError
        If there is none.
    """
    name, names = _fastest(bundle, AUTO), usable(bundle)
    said = f"{name} of {', '.join(names)}"
    if {"onnx", FLOAT} <= set(names):
        fast, reason = int8_verdict()
        return f"{said}: int8 is {'fast' if fast else 'slow'} here, {reason}"
    return f"{said}: the first of these that the bundle holds and that is installed"


def _fastest(bundle: ModelBundle, device: str) -> str:
    names = usable(bundle)
    if device not in (AUTO, "cpu"):  # only ONNX Runtime asks for one, and a GPU likes floats
        names = [name for name in (FLOAT, "onnx") if name in names]
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


def _check(bundle: ModelBundle, name: str, module: plug_ins.RuntimeModule) -> None:
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
            next_step=f"pip install {module.INSTALL}",
        )
