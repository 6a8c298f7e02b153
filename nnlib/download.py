"""Fetch files once: mirrors, resume, checksum, cache.

A download goes to ``name.part`` and becomes ``name`` only when its SHA-256 is right, so an interrupted or damaged
file is never read. The cache is ``$NNLIB_DATA``, or the system's folder for caches.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cache_folder", "fetch"]


def cache_folder() -> Path:
    """Where downloads are kept.

    >>> cache_folder().name
    'nnlib'
    """
    from pathlib import Path

    if "NNLIB_DATA" in os.environ:
        return Path(os.environ["NNLIB_DATA"])
    home = Path.home()
    systems = {"win32": os.environ.get("LOCALAPPDATA", home), "darwin": home / "Library" / "Caches"}
    return Path(systems.get(sys.platform, os.environ.get("XDG_CACHE_HOME", home / ".cache"))) / "nnlib"


def fetch(name: str, sha256: str, mirrors: Sequence[str], folder: Path | None = None, timeout: float = 20.0) -> Path:
    """The path of file ``name``, downloaded from the first mirror that delivers bytes with this checksum.

    A part that is already there is continued where the server allows it. ``timeout`` (seconds) bounds a silence,
    not the download. Raises ConnectionError naming what each mirror did and where to put the file by hand.
    """
    folder = (folder or cache_folder()).expanduser()
    target, part = folder / name, folder / f"{name}.part"
    if target.is_file() and _sha256(target) == sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + target.name
        for _ in range(2):  # a second time where that may help
            try:
                _download(url, part, timeout)
                found = _sha256(part)
                if found == sha256:
                    os.replace(part, target)
                    return target
                part.unlink()
                raise ValueError(f"SHA-256 is {found[:12]}…, expected {sha256[:12]}…")
            except (OSError, ValueError, EOFError) as error:
                failures.append(f"{url}: {error}")
                part_is_too_long = getattr(error, "code", None) == 416  # an HTTPError: there is nothing to continue
                if part_is_too_long:
                    part.unlink(missing_ok=True)
                if not (part_is_too_long or isinstance(error, EOFError)):  # cut off in the middle: go on from there
                    break
    listed = "\n  ".join(failures)
    raise ConnectionError(
        f"fetch: could not download {name}:\n  {listed}\nConnect to the network and try again, or put the file at "
        f"{target} by hand. What has arrived is kept and continued."
    )


def _download(url: str, part: Path, timeout: float) -> None:
    """Append what is missing of ``url`` to ``part``; EOFError if the server stops early."""
    import urllib.request  # as long to import as nnlib itself: only when something is fetched

    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        resumed = answer.status == 206
        have = have if resumed else 0
        expected = answer.headers.get("Content-Length")
        total = have + int(expected) if expected is not None else None
        advance, close = _progress(part.name.removesuffix(".part"), total, have)
        try:
            with part.open("ab" if resumed else "wb") as file:
                while block := answer.read(1 << 16):
                    file.write(block)
                    have += len(block)
                    advance(len(block))
        finally:
            close()
    if total is not None and have < total:
        raise EOFError(f"the connection ended after {have:,} of {total:,} bytes")


def _progress(name: str, total: int | None, have: int) -> tuple[Callable[[int], Any], Callable[[], Any]]:
    """A progress bar where tqdm is installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return lambda n: None, lambda: None
    bar = tqdm(total=total, initial=have, desc=name, unit="B", unit_scale=True, leave=False)
    return bar.update, bar.close


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
