"""Run a Python command as on a processor with AVX2 and neither AVX-512 nor VNNI.

    python tests/benchmarks/without_avx512.py tests/benchmarks/runtimes.py kpcli/assets/default
    python tests/benchmarks/without_avx512.py -m kpcli bench

ONNX Runtime chooses its kernels by the CPUID instruction. In a copy of its library each CPUID is
replaced by an instruction that does not exist, and a preloaded handler of that trap answers
instead, without the bits of AVX-512, VNNI and AMX; NumPy and OpenCV have variables for this. So
what is measured are AVX2's kernels on this machine's clock, caches and ports: another processor
with AVX2 differs in these. Linux on x86-64, with gcc and objdump.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

CPUID, TRAP = b"\x0f\xa2", b"\x0f\x0b"
HANDLER = r"""
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

static unsigned without(unsigned value, const int *bits, int n) {
    for (int i = 0; i < n; i++) value &= ~(1u << bits[i]);
    return value;
}

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *at = (const unsigned char *)r[REG_RIP];
    if (at[0] != 0x0f || at[1] != 0x0b) { signal(SIGILL, SIG_DFL); return; }
    unsigned leaf = r[REG_RAX], sub = r[REG_RCX], a, b, c, d;
    __cpuid_count(leaf, sub, a, b, c, d);
    if (leaf == 7 && sub == 0) {
        b = without(b, (const int[]){16, 17, 21, 26, 27, 28, 30, 31}, 8); /* AVX512F .. VL */
        c = without(c, (const int[]){1, 6, 11, 12, 14}, 5);               /* VBMI, VNNI .. */
        d = without(d, (const int[]){2, 3, 8, 22, 23, 24, 25}, 7);        /* FP16, AMX */
    }
    if (leaf == 7 && sub == 1) {
        a = without(a, (const int[]){4, 5, 21, 23}, 4);                   /* AVX-VNNI, BF16 .. */
        d = without(d, (const int[]){4, 5, 10}, 3);
    }
    r[REG_RAX] = a; r[REG_RBX] = b; r[REG_RCX] = c; r[REG_RDX] = d;
    r[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGILL, &action, 0);
}
"""
NUMPY = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"


def patched(folder: Path) -> int:
    """Copy ONNX Runtime into a folder without its CPUID instructions; how many there were."""
    spec = find_spec("onnxruntime")
    assert spec is not None
    assert spec.origin is not None
    copy = folder / "onnxruntime"
    shutil.copytree(Path(spec.origin).parent, copy)
    (library,) = copy.glob("capi/onnxruntime_pybind11_state*.so")
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(library)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    data = bytearray(library.read_bytes())
    places = [int(at, 16) for at in re.findall(r"^\s*([0-9a-f]+):\tcpuid", listing, re.MULTILINE)]
    for at in places:  # the text segment lies in the file where it lies in memory
        if data[at : at + 2] != CPUID:
            raise SystemExit(f"{library.name}: no CPUID at {at:x}; its segments are laid otherwise")
        data[at : at + 2] = TRAP
    library.write_bytes(data)
    return len(places)


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source, handler = folder / "handler.c", folder / "handler.so"
        source.write_text(HANDLER)
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", handler, source], check=True)
        print(f"without AVX-512 and VNNI: {patched(folder)} CPUID instructions answered otherwise")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [scratch, os.environ.get("PYTHONPATH")])),
            "LD_PRELOAD": str(handler), "KPCLI_AVX2": "1", "NPY_DISABLE_CPU_FEATURES": NUMPY,
            "OPENCV_CPU_DISABLE": "AVX512-SKX",
        }  # fmt: skip
        done = subprocess.run([sys.executable, *sys.argv[1:]], env=environment, check=False)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
