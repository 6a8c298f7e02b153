"""The tree of parameters: Module, its containers, state dicts and hooks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, reduce
from typing import Any

import numpy as np

from . import cuda
from .core import Tensor, _check_differentiable, as_tensor, zeros_like
from .device import accelerators, device_of

__all__ = ["Module", "ModuleList", "Parameter", "Sequential"]


class Parameter(Tensor):
    """A tensor that a Module finds and an optimiser trains: a leaf with ``requires_grad=True``.

    PyTorch: ``nn.Parameter``.

    >>> nn.Parameter(nn.zeros(2)).requires_grad
    True
    """

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        array = as_tensor(data).data
        if requires_grad:
            _check_differentiable("Parameter", array)
        super().__init__(array, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Module:
    """A computation with parameters; modules hold modules, and the tree is what ``parameters()`` walks.

    Assign Parameters and Modules as attributes in ``__init__`` (after ``super().__init__()``) and write
    ``forward``. PyTorch: ``nn.Module``.

    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(nn.tensor(2.0))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(nn.tensor(3.0)).item()
    6.0
    """

    _shown = ""  # what repr shows of the settings, a format of attributes: "{num_features}, eps={eps}"
    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Any]
    _modules: dict[str, Module | None]
    _hooks: dict[object, Callable[..., Any]]
    _pre_hooks: dict[object, Callable[..., Any]]

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _hooks={}, _pre_hooks={}, training=True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; called by ``module(...)``."""
        raise NotImplementedError(
            f"{type(self).__name__} has no forward. Write def forward(self, x): … and call the module, not forward."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for hook in self._pre_hooks.values():
            replaced = hook(self, args)
            args = args if replaced is None else replaced if isinstance(replaced, tuple) else (replaced,)
        output = self.forward(*args, **kwargs)
        for hook in self._hooks.values():
            replaced = hook(self, args, output)
            output = output if replaced is None else replaced
        return output

    # -- attributes: parameters, buffers and modules live in their own dicts

    def __setattr__(self, name: str, value: Any) -> None:
        if _hides_modules(value):
            raise TypeError(
                f"{type(self).__name__}.{name} is a plain {type(value).__name__} holding {len(value)} Modules or "
                "Parameters, which parameters() cannot see. Use nn.ModuleList([...])."
            )
        own = self.__dict__
        old, new = _store_of(own, name), None  # the dict that holds the name, the one that will; None: plain attributes
        if isinstance(value, (Parameter, Module)):
            new = self._parameters if isinstance(value, Parameter) else self._modules
        elif value is None or old is own.get("_buffers"):
            new = old
        elif old is not None and old is self._parameters:
            raise TypeError(
                f"{type(self).__name__}.{name} is a Parameter and cannot become a {type(value).__name__}. "
                "Use nn.Parameter(...), or .data to change its values."
            )
        if new is not old:
            (own if old is None else old).pop(name, None)
        if new is None:
            object.__setattr__(self, name, value)
        else:
            new[name] = value.data if new is self._buffers and isinstance(value, Tensor) else value

    def __getattr__(self, name: str) -> Any:
        store = _store_of(self.__dict__, name)
        if store is not None:
            return store[name]
        if "_modules" not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}: Module.__init__ has not run yet. Call super().__init__() first in __init__."
            )
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        store = _store_of(self.__dict__, name)
        if store is None:
            object.__delattr__(self, name)
        else:
            del store[name]

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._parameters, *self._buffers, *self._modules]

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter by name; None reserves the name (a layer without bias)."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"register_parameter: {name} must be a Parameter or None, got {type(param).__name__}. "
                "Use nn.Parameter(...)."
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, array: Any) -> None:
        """Add an array that belongs to the state but is not trained (running statistics, masks)."""
        self._buffers[name] = array.data if isinstance(array, Tensor) else array

    def register_forward_hook(self, hook: Callable[[Module, Any, Any], Any]) -> Any:
        """Call ``hook(module, inputs, output)`` after every forward; what it returns, if anything, replaces the output.

        Calling the result, or its ``remove()``, takes the hook away.
        """
        return _add_hook(self._hooks, hook)

    def register_forward_pre_hook(self, hook: Callable[[Module, Any], Any]) -> Any:
        """Call ``hook(module, inputs)`` before every forward; what it returns replaces the inputs."""
        return _add_hook(self._pre_hooks, hook)

    # -- walking the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(path, module) for this module and all below it, each once (or once per path); ``memo`` holds those seen."""
        memo = set() if memo is None else memo
        if not (remove_duplicate and self in memo):
            memo.add(self)
            yield prefix, self
            for name, child in self._modules.items():
                if child is not None:
                    yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for the modules directly inside."""
        return ((name, child) for name, child in self._modules.items() if child is not None)

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        return (child for _, child in self.named_children())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) for the whole tree; a shared parameter comes once."""
        return self._named("_parameters", prefix=prefix)

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter of the tree, a shared one once."""
        return (parameter for _, parameter in self.named_parameters())

    def buffers(self) -> Iterator[Any]:
        """Every buffer of the tree, an array, a shared one once."""
        return (array for _, array in self.named_buffers())

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """(path, array) for the buffers of the whole tree; a shared one comes once."""
        return self._named("_buffers", prefix=prefix)

    def _named(self, *stores: str, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Any]]:
        """(path, value) of everything in these dicts of the tree, module by module."""
        seen: set[int] = set()
        for path, module in self.named_modules(None, prefix, remove_duplicate):
            for store in stores:
                for name, value in module.__dict__[store].items():
                    if value is not None and not (remove_duplicate and id(value) in seen):
                        seen.add(id(value))
                        yield f"{path}.{name}" if path else name, value

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path."""
        module: Any = self
        for name in filter(None, target.split(".")):
            module = getattr(module, name)
        return module

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call ``fn`` on every module of the tree, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # -- modes and moves

    def train(self, mode: bool = True) -> Module:
        """Switch dropout and batch statistics on (or off) in the whole tree."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation: no dropout, running statistics."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze or unfreeze every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every gradient to None, or to zeros."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else zeros_like(Tensor(parameter.grad))

    def to(self, target: Any = None, dtype: Any = None, device: Any = None) -> Module:
        """Move all parameters and buffers to a dtype (floating point only), a device, or both, in place."""
        if dtype is not None or device is not None:
            return reduce(Module.to, [place for place in (target, device, dtype) if place is not None], self)
        if not isinstance(target, str) and np.dtype(target).kind != "f":
            raise TypeError(f"to: parameters need a floating-point dtype, got {np.dtype(target)}. Use nn.float32.")
        for parameter in self.parameters():
            parameter.data = parameter.detach().to(target).data
            parameter.grad = None if parameter.grad is None else Tensor(parameter.grad).to(target).data
        for module in self.modules():
            for name, array in module._buffers.items():
                if array is not None and (isinstance(target, str) or array.dtype.kind == "f"):
                    module._buffers[name] = Tensor(array).to(target).data
        return self

    def cuda(self, device: int | None = None) -> Module:
        """Parameters and buffers on a GPU."""
        return self.to("cuda" if device is None else f"cuda:{device}")

    def cpu(self) -> Module:
        """Parameters and buffers on the host."""
        return self.to("cpu")

    def float(self) -> Module:
        """Parameters and buffers as float32."""
        return self.to(np.dtype("float32"))

    def double(self) -> Module:
        """Parameters and buffers as float64."""
        return self.to(np.dtype("float64"))

    # -- state

    def state_dict(self) -> dict[str, Any]:
        """Path -> array for parameters and buffers, with PyTorch's keys. The arrays are shared, not copied."""
        everything = self._named("_parameters", "_buffers", remove_duplicate=False)
        return OrderedDict((path, value.data if isinstance(value, Tensor) else value) for path, value in everything)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:
        """Copy arrays (or tensors) into parameters and buffers.  PyTorch: ``Module.load_state_dict``.

        Nothing is copied unless everything fits; ``strict=False`` lets names be missing or left over.
        Raises ValueError that names what is missing, unexpected, or of another shape.

        >>> a, b = nn.Linear(2, 1), nn.Linear(2, 1)
        >>> b.load_state_dict(a.state_dict()); bool((a.weight == b.weight).all())
        True
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"load_state_dict: expected a dict of name -> array, got {type(state_dict).__name__}. "
                "Use model.state_dict()."
            )
        own = self.state_dict()
        given = {key: value.detach() if hasattr(value, "detach") else value for key, value in state_dict.items()}
        given = {key: value.data if isinstance(value, Tensor) else value for key, value in given.items()}
        given = {k: value if type(value) in accelerators else np.asarray(value) for k, value in given.items()}
        problems = [
            f"{key}: expected shape {own[key].shape}, got {given[key].shape}"
            for key in own
            if key in given and own[key].shape != given[key].shape
        ]
        if strict:
            problems += [f"{key}: missing" for key in own if key not in given]
            problems += [f"{key}: unexpected" for key in given if key not in own]
        if problems:
            raise ValueError(
                f"load_state_dict: {len(problems)} of {len(own)} entries of {type(self).__name__} do not fit: "
                + "; ".join(problems[:10])
                + ("; …" if len(problems) > 10 else "")
                + ". Build the same model first, or pass strict=False for missing and unexpected names."
            )
        for key, value in self._named("_parameters", "_buffers", remove_duplicate=False):
            if key in given:
                own[key][...] = cuda.move(given[key], device_of(own[key]))  # a file knows no device
                if isinstance(value, Tensor):
                    value._touch()

    # -- printing

    def extra_repr(self) -> str:
        """The settings shown in ``repr``."""
        return self._shown.format_map(self.__dict__)

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}({self.extra_repr()}\n  " + "\n  ".join(lines) + "\n)"


def _store_of(own: dict[str, Any], name: str) -> Any:
    """Which dict of a module holds its attribute ``name``; None for a plain attribute."""
    for store in ("_parameters", "_buffers", "_modules"):
        if store in own and name in own[store]:
            return own[store]
    return None


def _hides_modules(value: Any) -> bool:
    members = value.values() if isinstance(value, dict) else value
    return isinstance(value, (list, tuple, dict, set)) and any(isinstance(m, (Module, Parameter)) for m in members)


def _add_hook(hooks: dict[object, Any], hook: Any) -> Any:
    key = object()
    hooks[key] = hook
    handle: Any = partial(hooks.pop, key, None)
    handle.remove = partial(hooks.pop, key, None)  # the spelling of PyTorch's handles
    return handle


class _Container(Module):
    """Modules in order, under their number or a name."""

    def append(self, module: Module) -> Any:
        """Add a module at the end."""
        return self._add(str(len(self)), module)

    def _add(self, name: str, module: Any) -> Any:
        if not isinstance(module, Module):
            raise TypeError(
                f"{type(self).__name__}: entry {name} must be a Module, got {type(module).__name__}. "
                "Use nn.ReLU() (an instance), not nn.ReLU or a function."
            )
        self._modules[name] = module
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())


class Sequential(_Container):
    """Modules one after the other: the output of each is the input of the next.  PyTorch: ``nn.Sequential``.

    Takes modules, or one dict of name -> module.

    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> net(nn.zeros(5, 3)).shape, len(net)
    ((5, 1), 3)
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], dict) else dict(enumerate(modules))
        for name, module in named.items():
            self._add(str(name), module)

    def forward(self, x: Any) -> Any:
        """Apply each module in turn."""
        for name, module in self.named_children():
            try:
                x = module(x)
            except ValueError as error:
                raise ValueError(f"Sequential[{name}] {error}") from error
        return x

    def __getitem__(self, index: Any) -> Any:
        items = list(self._modules.items())[index]
        return Sequential(dict(items)) if isinstance(index, slice) else items[1]


class ModuleList(_Container):
    """A list whose modules ``parameters()`` can see.  PyTorch: ``nn.ModuleList``.

    >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def __getitem__(self, index: Any) -> Any:
        found = list(self)[index]
        return ModuleList(found) if isinstance(index, slice) else found
