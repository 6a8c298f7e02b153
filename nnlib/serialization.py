"""Save and load states without pickle: loading a file never runs code from it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .core import Tensor

__all__ = ["load", "save"]


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write nested dicts and lists of arrays, tensors and numbers (state dicts) to one ``.npz`` file.

    Atomic: the new file replaces the old one only when it is complete, so an interrupted save destroys nothing.
    A path ending in ``.safetensors`` writes a flat dict of arrays through that library.  PyTorch: ``torch.save``.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> nn.save(nn.Linear(2, 1).state_dict(), path); sorted(nn.load(path))
    ['bias', 'weight']
    """
    import json
    from pathlib import Path

    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"save: the folder {target.parent} does not exist. Make it first: mkdir -p.")
    arrays: dict[str, np.ndarray] = {}
    plan = _plan(obj, arrays, "")
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        with open(temporary, "xb") as file:
            if target.suffix == ".safetensors":
                from safetensors.numpy import save as to_bytes

                flat = {key: _host(value) for key, value in obj.items()}
                file.write(to_bytes({key: np.ascontiguousarray(value) for key, value in flat.items()}))
            else:
                np.savez(file, __plan__=np.array(json.dumps(plan)), **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str]) -> Any:
    """Read what :func:`save` wrote, any ``.npz`` of plain arrays, or ``.safetensors``.  PyTorch: ``torch.load``.

    Returns arrays; ``model.load_state_dict`` checks that they fit. Raises FileNotFoundError, or ValueError for a file
    that is damaged or holds pickled objects.

    >>> nn.load("missing.npz")
    Traceback (most recent call last):
    FileNotFoundError: load: there is no file missing.npz. Check the path, or save first.
    """
    import json
    from pathlib import Path
    from zipfile import BadZipFile

    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"load: there is no file {path}. Check the path, or save first.")
    if source.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(source)
    try:
        with source.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f"load: {path} is no complete .npz file of arrays ({error}). Save it again.") from None
    plan = arrays.pop("__plan__", None)
    return arrays if plan is None else _build(json.loads(str(plan)), arrays)


def _host(value: Any) -> np.ndarray:
    """An array of the host, whatever held it."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else Tensor(value).cpu().data


def _plan(obj: Any, arrays: dict[str, np.ndarray], path: str) -> Any:
    """``obj`` as JSON, its arrays taken out under their path."""
    if isinstance(obj, dict):
        for key in obj:
            if not isinstance(key, (str, int)):
                raise TypeError(f"save: dict keys must be str or int, got {type(key).__name__}. Use str(key).")
        return {"dict": [[key, _plan(value, arrays, f"{path}/{key}")] for key, value in obj.items()]}
    if isinstance(obj, (list, tuple)):
        kind = "list" if isinstance(obj, list) else "tuple"
        return {kind: [_plan(value, arrays, f"{path}/{i}") for i, value in enumerate(obj)]}
    if hasattr(obj, "dtype") and hasattr(obj, "shape"):
        name = path.removeprefix("/") or "value"
        arrays[name] = _host(obj)
        return {"array": name}
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return {"plain": obj}
    raise TypeError(f"save: {path or 'the object'} is a {type(obj).__name__}. Save model.state_dict(), not the model.")


def _build(plan: Any, arrays: dict[str, np.ndarray]) -> Any:
    ((kind, content),) = plan.items()
    if kind == "dict":
        return {key: _build(value, arrays) for key, value in content}
    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(_build(value, arrays) for value in content)
    return arrays[content] if kind == "array" else content
