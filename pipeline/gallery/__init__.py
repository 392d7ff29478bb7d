"""Finished pictures: files on disk (`files`), what a PNG carries (`metadata`), the index (`index`), and the façade."""

from pipeline.gallery.gallery import Gallery
from pipeline.gallery.metadata import a1111_text, encode_png, read_recipe

__all__ = ["Gallery", "a1111_text", "encode_png", "read_recipe"]
