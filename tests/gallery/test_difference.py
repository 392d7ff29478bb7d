import io

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pipeline.errors import InvalidRequest
from pipeline.gallery import difference


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def noise(width: int = 32, height: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_is_identical_with_itself_and_its_noise_ratio_is_not_a_number():
    found = difference.measure(png(noise()), png(noise()))
    assert found == difference.Difference(identical=True, psnr=None, ssim=1.0, largest=0, changed=0.0)


def test_one_changed_value_is_found_and_counted():
    changed = noise()
    changed[3, 4, 1] = int(changed[3, 4, 1]) ^ 64
    found = difference.measure(png(noise()), png(changed))
    assert not found.identical
    assert found.largest == 64
    assert found.changed == pytest.approx(1 / (32 * 24))
    assert 0.9 < found.ssim < 1


def test_the_noise_ratio_is_that_of_scikit_image():
    one, other = noise(seed=1), noise(seed=2)
    expected = peak_signal_noise_ratio(one, other, data_range=255)
    assert difference.measure(png(one), png(other)).psnr == pytest.approx(expected, abs=1e-6)


def test_a_difference_below_zero_counts_as_much_as_one_above():
    black, white = np.zeros((8, 8, 3)), np.full((8, 8, 3), 255)
    forth, back = difference.measure(png(black), png(white)), difference.measure(png(white), png(black))
    assert forth == back
    assert (forth.largest, forth.changed, forth.psnr) == (255, 1.0, pytest.approx(0.0))


def test_similarity_in_strips_is_that_of_the_whole_picture():
    one = noise(40, 300, seed=1)
    other = np.clip(one.astype(int) + noise(40, 300, seed=2) // 8, 0, 255).astype(np.uint8)
    whole = structural_similarity(one, other, channel_axis=2, data_range=255)
    assert difference.measure(png(one), png(other)).ssim == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 9), (3, 3), (6, 40), (40, 6), (7, 7)])
def test_pictures_smaller_than_the_window_of_similarity_are_compared_too(width: int, height: int):
    found = difference.measure(png(noise(width, height)), png(noise(width, height, seed=5)))
    assert -1 <= found.ssim < 1
    assert found.changed > 0


def test_pictures_of_two_sizes_are_refused_with_both_sizes():
    with pytest.raises(InvalidRequest, match="32 × 24 and 24 × 32"):
        difference.measure(png(noise(32, 24)), png(noise(24, 32)))


@pytest.mark.parametrize("broken", [b"", b"text", png(noise())[:200]])
def test_what_is_no_picture_is_refused_with_a_sentence(broken: bytes):
    with pytest.raises(InvalidRequest, match="cannot be read"):
        difference.measure(png(noise()), broken)


def test_the_map_is_black_where_the_pictures_agree_and_bright_by_the_gain_where_not():
    one, other = np.full((4, 6, 3), 100), np.full((4, 6, 3), 100)
    other[1, 2] = (103, 90, 200)
    with Image.open(io.BytesIO(difference.map_png(png(one), png(other), 8))) as image:
        seen = np.asarray(image)
    assert seen.shape == (4, 6, 3)
    assert seen[1, 2].tolist() == [24, 80, 255]
    assert seen.sum() == 24 + 80 + 255


def test_a_transparent_or_grey_copy_of_the_same_pixels_is_identical():
    pixels = np.repeat(noise()[:, :, :1], 3, axis=2)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert("L").save(buffer, "PNG")
    assert difference.measure(png(pixels), buffer.getvalue()).identical
