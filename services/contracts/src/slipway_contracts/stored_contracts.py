"""The contracts of the running image, read once at start and bounded, to be served."""

from pathlib import Path

from .bundle import INDEX, MAX_BYTES, MAX_FILE_BYTES, MAX_FILES, PATH


def contracts_in(folder: Path) -> dict[str, bytes]:
    """By path below the folder; empty where there are none, as on a laptop. What is too large is left out."""
    found: dict[str, bytes] = {}
    if not (folder / INDEX).is_file():
        return found
    room = MAX_BYTES
    for path in sorted([*folder.glob("*"), *folder.glob("events/*")]):
        name = str(path.relative_to(folder))
        if not PATH.fullmatch(name) or not path.is_file() or len(found) > MAX_FILES:
            continue
        size = path.stat().st_size
        if size <= min(room, MAX_FILE_BYTES):
            found[name] = path.read_bytes()
            room -= size
    return found
