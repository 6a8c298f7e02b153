"""What the unit tests run under; ../conftest.py says what notebooks need as well."""

import importlib.util

if importlib.util.find_spec("matplotlib"):
    import matplotlib

    # Draw without windows. Not by MPLBACKEND: the kernels would inherit it, and theirs is inline.
    matplotlib.use("Agg")
