"""Settings in EXIF, where JPEG and WebP carry them: the A1111 text as `UserComment`, and our recipe as `MakerNote`.

A `UserComment` says in its first eight bytes how the rest is written. For `UNICODE` that is UTF-16, of which programs
write either byte order without saying which.
"""

from __future__ import annotations

from PIL import ExifTags, Image

_COMMENT, _NOTE = ExifTags.Base.UserComment, ExifTags.Base.MakerNote
_UNICODE, _ASCII, _UNDEFINED = b"UNICODE\0", b"ASCII\0\0\0", bytes(8)
_WORDS = ("Steps: ", "Negative prompt: ", "Seed: ")
"""What an A1111 text has in it, whatever its language."""


def write(comment: str, note: str) -> bytes:
    """An EXIF block with both; an empty one is left out."""
    exif = Image.Exif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    if comment:
        inner[_COMMENT] = _UNICODE + comment.encode("utf-16-be", "replace")
    if note:
        inner[_NOTE] = note.encode("utf-8", "replace")
    return exif.tobytes()


def comment(block: bytes) -> str:
    """The text of `UserComment`; empty when there is none, or the block is damaged."""
    value = _tags(block).get(_COMMENT, b"")
    return _decoded(value) if isinstance(value, bytes) else str(value)


def note(block: bytes) -> str:
    """The text of `MakerNote`; empty when there is none that is text, or the block is damaged."""
    value = _tags(block).get(_NOTE, b"")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _tags(block: bytes) -> dict[int, object]:
    exif = Image.Exif()
    try:
        exif.load(block)
        return dict(exif.get_ifd(ExifTags.IFD.Exif))
    except Exception:  # Pillow promises nothing for blocks that are damaged on purpose
        return {}


def _decoded(value: bytes) -> str:
    kind, text = value[:8], value[8:]
    if kind == _UNICODE:
        return _utf_16(text)
    if kind in (_ASCII, _UNDEFINED):
        return text.decode("utf-8", "replace").strip("\0")
    return value.decode("utf-8", "replace").strip("\0")


def _utf_16(text: bytes) -> str:
    """Either byte order: that of the mark, else the one in which the words of the format appear."""
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return text.decode("utf-16", "replace")
    readings = [text.decode(order, "replace") for order in ("utf-16-be", "utf-16-le")]
    return max(readings, key=lambda reading: sum(word in reading for word in _WORDS)).strip("\0")
