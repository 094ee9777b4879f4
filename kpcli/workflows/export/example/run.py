"""Write the example beside an export."""

from __future__ import annotations

from pathlib import Path

from kpcli.catalogue import EXPORTERS, RUNTIMES
from kpcli.errors import UsageError
from kpcli.model_bundle import LANDMARKS, ModelCard
from kpcli.outputs import Outputs

COMMAND = "export"
SCRIPT, README = "run_model.py", "README.md"
TARGETS = ("onnx", "onnx_float", "litert")
"""Those of one file that a small runtime runs."""
_HERE = Path(__file__).parent
_LITERT = {
    "from onnxruntime import InferenceSession": "from ai_edge_litert.interpreter import "
    "Interpreter",
    "network = InferenceSession(model)": "network = Interpreter(model).get_signature_runner()",
    'network.run(["points"], {network.get_inputs()[0].name: image})[0]': "network(**{next(iter("
    'network.get_input_details())): image})["points"]',
    "model.onnx": "model.tflite",
}
"""What the script says for ONNX Runtime, and for LiteRT."""
_BYTES = {"NDArray[np.float32]": "NDArray[np.uint8]", "astype(np.float32)": "astype(np.uint8)"}
"""Where the model takes bytes."""
_BOXES = {
    "image": "the whole picture, -0.5 -0.5 W-0.5 H-0.5",
    "landmarks": "tight around the points of an upright face, as `kpcli annotate` writes it "
    "(brows to chin)",
}
_MORE = {
    "log_scale": "- **Output** `log_scale`: the logarithm of how far each point may be off, in the "
    "same units.\n",
    "face_logit": "- **Output** `face_logit`: above 0 where the crop shows a face.\n",
}


def check_example(target: str, card: ModelCard, folder: Path) -> None:
    """See, before any work, whether there can be an example.

    Raises
    ------
    UsageError
        If the target or the model has none.
    InputError
        If a file that is not ours lies where it goes.
    """
    if target not in TARGETS or card.task != LANDMARKS:
        raise UsageError(
            f"--example: there is none of a model for {card.task} as {target}",
            expected=f"a landmark model, --to {', '.join(TARGETS)}",
        )
    if folder.is_dir():
        Outputs(folder, COMMAND).check([SCRIPT, README])


def write_example(target: str, card: ModelCard, folder: Path, takes_bytes: bool) -> None:
    """Write the script and the text into the bundle's folder."""
    runtime = RUNTIMES.load(target)
    gray = card.colour == "gray"
    text = (
        (_HERE / README)
        .read_text(encoding="utf-8")
        .format(
            name=card.name,
            points=card.landmark_scheme.n_points,
            file=EXPORTERS.load(target).FILE,
            install=runtime.INSTALL,
            runtime=target,
            licence=card.licence,
            box=_BOXES.get(
                card.face_box, "around the points, as in the CSV that it was trained on"
            ),
            scale=card.crop_scale,
            size=card.input_size,
            channels=1 if gray else 3,
            colour="gray, 0.299 R + 0.587 G + 0.114 B" if gray else "R, G, B in this order",
            number="uint8" if takes_bytes else "float32",
            more="".join(line for name, line in _MORE.items() if name in card.outputs),
        )
    )
    outputs = Outputs(folder, COMMAND)
    for name, content in ((SCRIPT, _script(target, takes_bytes)), (README, text)):
        with outputs.replacing(name) as temporary:
            temporary.write_text(content, encoding="utf-8", errors="backslashreplace")


def _script(target: str, takes_bytes: bool) -> str:
    script = (_HERE / SCRIPT).read_text(encoding="utf-8")
    words = {**(_LITERT if target == "litert" else {}), **(_BYTES if takes_bytes else {})}
    for old, new in words.items():
        assert old in script
        script = script.replace(old, new)
    return script
