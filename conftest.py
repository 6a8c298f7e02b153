"""What every test run needs, notebooks too.

Notebooks are run by nbval, strictly: outputs are compared. The options are set here and not in
pyproject.toml, where they would be errors for a run without nbval or xdist (the unit tests on another
Python or the lowest NumPy); without nbval no notebook is collected.
"""

from __future__ import annotations

import os

import pytest

# Before NumPy is imported: several processes at default threads are slower than at one each, and
# sums depend on their number. The kernels that nbval starts inherit all of this.
for library in ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
os.environ["PYTHONHASHSEED"] = "0"
os.environ["NNLIB_PROGRESS"] = ""  # a test run must not tick off the user's exercises
os.environ.pop("MPLBACKEND", None)  # Agg, inherited by a kernel, would leave it without figures


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    if config.pluginmanager.hasplugin("nbval"):
        root = str(config.rootpath)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        if root not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
            os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        if not option.nbval_lax:
            option.nbval = True
        if not option.nbval_kernel_name:
            option.nbval_current_env = True  # "python3" may be another Python of this user
        option.nbval_cell_timeout = min(option.nbval_cell_timeout, 120)
    if getattr(option, "dist", "no") == "load":
        option.dist = "loadfile"  # the cells of a notebook share a kernel
