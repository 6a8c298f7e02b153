"""Experiments: things to move in a notebook, each computed by nnlib while you watch.

Every experiment is a class of this package and is used in one way::

    from nnlib import widgets

    widgets.FarPoint.static().show()   # the picture and its sentence, stored in the notebook (needs matplotlib)
    widgets.FarPoint()                 # the last line of a cell: the thing to play with (needs ipywidgets, anywidget)

Settings are keyword arguments of both, ``widgets.FarPoint(far=15.0)``; ``X.controls`` names them. A shown experiment
``e`` has ``e.settings`` (plain data), ``e.set(far=12.0)``, ``e.predict("neither")``, ``e.numbers`` and ``e.status``;
``X.measure(far=15.0)`` gives the numbers without any widget.

Names are looked up late: ``import nnlib.widgets`` loads neither ipywidgets nor matplotlib.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "ActivationGallery": "activation_gallery",
    "ConvolutionBench": "convolution_bench",
    "DepthAndScale": "depth_and_scale",
    "FarPoint": "far_point",
    "Fold": "fold",
    "GradcheckMicroscope": "gradcheck_microscope",
    "GraphStepper": "graph_stepper",
    "HiddenLayerLedger": "hidden_layer_ledger",
    "KernelBench": "kernel_bench",
    "LesionBench": "lesion_bench",
    "Likelihood": "likelihood",
    "LossBowl": "loss_bowl",
    "PerceptronReferee": "perceptron_referee",
    "Playground": "playground",
    "ResNetLedger": "resnet_ledger",
    "ShapeExplorer": "shape_explorer",
    "ShiftTest": "shift_test",
    "TableTop": "table_top",
    "TenKnobs": "ten_knobs",
    "TrainingCurves": "curves",
    "TwoDistributions": "two_distributions",
}
EXPERIMENTS = tuple(name for name in _WHERE if name != "TrainingCurves")

__all__ = ["EXPERIMENTS", *_WHERE]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"nnlib.widgets has no {name!r}; there are {', '.join(_WHERE)}.")


def __dir__() -> list[str]:
    return sorted(__all__)
