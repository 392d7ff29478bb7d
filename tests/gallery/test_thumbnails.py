import io
import os

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import NotFound
from tests.gallery.pictures import make_picture


def test_a_thumbnail_is_a_webp_that_fits_and_is_made_once(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    webp = gallery.thumbnail(image.id, side=8)
    with Image.open(io.BytesIO(webp)) as small:
        assert (small.format, small.size) == ("WEBP", (8, 4))
    [cached] = (outputs / ".darkroom" / "thumbnails").iterdir()
    cached.write_bytes(b"from the cache")
    assert gallery.thumbnail(image.id, side=8) == b"from the cache"


def test_a_damaged_picture_has_no_thumbnail_but_a_sentence(gallery):
    image = gallery.save(make_picture(), "job-1")
    image.path.write_bytes(image.path.read_bytes()[:-60])
    with pytest.raises(NotFound, match="is damaged"):
        gallery.thumbnail(image.id)


def test_a_picture_that_was_painted_over_gets_a_new_thumbnail(gallery):
    image = gallery.save(make_picture(), "job-1")
    before, version = gallery.thumbnail(image.id), gallery.version(image)
    with Image.open(image.path) as picture:
        kept = {key: value for key, value in picture.info.items() if isinstance(value, str)}
    repaint(image.path, kept)
    assert gallery.thumbnail(image.id) != before
    assert gallery.version(image) != version


def test_a_thumbnail_that_cannot_be_kept_is_shown_all_the_same(gallery, outputs):
    image = gallery.save(make_picture(), "job-1")
    (outputs / ".darkroom" / "thumbnails").write_text("in the way")
    assert gallery.thumbnail(image.id)[8:12] == b"WEBP"


def repaint(path, texts):
    """Write other pixels over a PNG, keeping what it carries, as an editor may; its folder does not change by it."""
    chunks = PngInfo()
    for key, text in texts.items():
        chunks.add_itxt(key, text)
    with path.open("wb") as file:
        Image.new("RGB", (16, 8), "orange").save(file, "PNG", pnginfo=chunks)
    os.utime(path, (1, 1))
