"""What every test and every notebook runs under, however pytest was started."""

import importlib.util
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Before NumPy is loaded, and for the kernels and commands that tests start: one BLAS thread (two workers
# at default threads are 15 times slower than at one each), this checkout's nnlib, and no pages opened.
for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ[f"{name}_NUM_THREADS"] = "1"
paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ["PYTHONPATH"] = os.pathsep.join(paths)

if importlib.util.find_spec("matplotlib"):
    import matplotlib

    # Set here and not in MPLBACKEND, which the notebooks' kernels would inherit: theirs is inline.
    matplotlib.use("Agg")
