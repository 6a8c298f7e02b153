"""Plain data in, figures out: ``from nnlib import plot``.

Each function takes arrays and names and returns a :class:`Picture`: ``.show()`` at the end of a cell displays the
figure and prints a sentence that says what it shows. Nothing here trains, and nothing is computed that a lesson
should show. Needs matplotlib (``pip install "nnlib[course]"``); ``import nnlib`` alone does not load it.
"""

try:
    import matplotlib as _  # noqa: F401
except ImportError as error:
    raise ImportError(
        'nnlib.plot needs matplotlib, which is not installed. Use pip install "nnlib[course]".'
    ) from error

from .basic import bars, curves, error_segments, fit, functions, histogram, scatter
from .diagrams import blocks, connections, modules, network
from .fields import contour_path, decision_surface, evaluate, flow, regions, surface
from .graphs import gates, graph, graph_steps
from .images import convolution, feature_maps, image_grid, kernels, matrix
from .style import Picture, context, row

__all__ = [
    "Picture", "bars", "blocks", "connections", "context", "contour_path", "convolution", "curves", "decision_surface",
    "error_segments", "evaluate", "feature_maps", "fit", "flow", "functions", "gates", "graph", "graph_steps",
    "histogram", "image_grid", "kernels", "matrix", "modules", "network", "regions", "row", "scatter", "surface",
]  # fmt: skip
