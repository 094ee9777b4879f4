"""What is held back of standard error, and what is not."""

import os
import subprocess
import sys

import pytest

from kpcli.runtimes.hush import hushed

BANNER = b"""WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795642777.018971     434 port.cc:153] oneDNN custom operations are on. You may see
E0000 00:00:1795643360.645023   11820 cuda_dnn.cc:8310] Unable to register cuDNN factory
2026-01-02 03:04:05.678901: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow
"""


def test_the_banner_is_held_back_and_the_rest_is_said(capfd) -> None:
    with hushed():
        os.write(2, BANNER)
        os.write(2, b"UserWarning: keep me\nand me\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "UserWarning: keep me\nand me\nlater\n"


def test_all_is_said_where_the_import_fails(capfd) -> None:
    def fails() -> None:
        with hushed():
            os.write(2, BANNER)
            raise ImportError

    with pytest.raises(ImportError):
        fails()
    assert capfd.readouterr().err.encode() == BANNER


def test_closed_standard_error_is_no_hindrance() -> None:
    code = "import os; os.close(2)\nfrom kpcli.runtimes.hush import hushed\nwith hushed(): print(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"1\n"


@pytest.mark.parametrize("backend", ["nonsense", "mxnet"])
def test_an_unknown_backend_is_a_models_matter(backend: str) -> None:
    code = (
        "from kpcli.errors import ModelError\n"
        "from kpcli.runtimes.keras_runtime import start_keras\n"
        "try:\n    start_keras()\nexcept ModelError as e:\n    print(e.exit_code, e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
    )  # fmt: skip
    assert done.stdout.startswith(f"4 Keras cannot start with the backend {backend}")
    assert "unset KERAS_BACKEND" in done.stdout
    assert done.stderr == ""


def test_keras_starts_in_silence() -> None:
    code = "from kpcli.runtimes.keras_runtime import start_keras; start_keras()"
    clean = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean
    )
    assert done.stderr == ""
