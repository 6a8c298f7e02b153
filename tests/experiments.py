"""What the tests with and without a browser share: another value for every control, and the way to a hidden one."""

from __future__ import annotations

from nnlib.widgets.experiment import Choice, Entry, Flag, Slider

TYPED = {"f =": "x * x", "at": "x = 3", "x₁ x₂ class;": "0 1 0; 1 1 1", "pixels": "1 2", "weights": "3"}
TYPED |= {"history": "one=3@0", "run A": "depth=2"}


def other(control, value):
    """A legal value of the control that is not ``value``."""
    if isinstance(control, Slider):
        return type(control.default)(
            value + control.step if value < control.high else value - control.step
        )
    if isinstance(control, Choice):
        return next(option for option in control.options if option != value)
    if isinstance(control, Flag):
        return not value
    return TYPED.get(control.label, "0.5") if isinstance(control, Entry) else value + 0.5


# What has to be set for a control to make a difference.
STAGE = {
    ("GraphStepper", "bug"): {"example": "a sum used twice", "step": 60},
    ("GraphStepper", "order"): {"example": "a sum used twice", "step": 60},
    ("HiddenLayerLedger", "notes"): {"step": 14},
    ("LossBowl", "digits"): {"steps": 500},
    ("ShiftTest", "padding"): {"right": 3},
}


def within_reach(kind, name):
    """An experiment whose control ``name`` is in sight and can move, and the one setting that this took."""

    def can_move(experiment):
        widget = experiment.widgets[name]
        return widget.layout.display != "none" and not (hasattr(widget, "max") and widget.min == widget.max)

    experiment = kind()
    start = {"step": 4} if "step" in kind.controls and name != "step" else {}
    start |= STAGE.get((kind.__name__, name), {})
    experiment.set(**start)
    if can_move(experiment):
        return experiment, {}
    options = [(key, o) for key, c in kind.controls.items() for o in getattr(c, "options", ())]
    options += [(key, not c.default) for key, c in kind.controls.items() if isinstance(c, Flag)]
    options += [(key, c.high) for key, c in kind.controls.items() if isinstance(c, Slider)]
    for key, option in options:
        if key != name and option != kind.controls[key].default:
            experiment.set(**{**kind.complete(), **start, key: option})
            if can_move(experiment):
                return experiment, {key: option}
    raise AssertionError(f"nothing brings {name} of {kind.__name__} into sight")


def pointer(experiment, type, id, x, y, **more):
    """The message of a page whose pointer, at (x, y) of the picture, presses or drags the mark ``id``."""
    lattice = experiment.view.lattice
    key = next(key for key in lattice if id == key or id.startswith(f"{key} "))
    axes = zip((x, y), lattice[key])
    to = [min(max(round((at - zero) / step), first), last) for at, (zero, step, first, last) in axes]
    experiment._message(None, {"type": type, "id": key, "to": to, **more}, [])
