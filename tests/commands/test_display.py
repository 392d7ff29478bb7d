"""How commands put things into words."""

from __future__ import annotations

import pytest

from pipeline.commands.display import plain, transfer
from pipeline.events import Fetching


@pytest.mark.parametrize(
    ("speed", "left", "words"),
    [
        (45_200_000.0, 285.4, "3.4 GB of 16.3 GB, 45.2 MB/s, 5 min left"),
        (45_200_000.0, 89.4, "3.4 GB of 16.3 GB, 45.2 MB/s, 89 s left"),
        (0.0, None, "3.4 GB of 16.3 GB"),
    ],
)
def test_a_download_is_told_in_bytes_speed_and_time_left(speed: float, left: float | None, words: str) -> None:
    state = Fetching(file="x", done=3_400_000_000, total=16_300_000_000, bytes_per_second=speed, seconds_left=left)
    assert transfer(state) == words


def test_lists_of_names_stand_in_a_line_and_sentences_below_each_other() -> None:
    assert plain(["unet", "vae"]) == "unet, vae"
    assert plain(["One step is enough.", "Four draw cleaner."]) == "One step is enough.\nFour draw cleaner."
