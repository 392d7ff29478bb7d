"""What a stream prints is kept, the end of it."""

from __future__ import annotations

import os
from typing import IO

from pipeline.jobs.printed import KEPT_LINES, Printed


def pipe() -> tuple[IO[bytes], IO[bytes]]:
    """The two ends of a pipe: for the reader and for the writer."""
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")


def test_the_end_of_what_was_printed_is_kept() -> None:
    reading, writing = pipe()
    printed = Printed(reading)
    with writing:
        for number in range(KEPT_LINES + 50):
            writing.write(f"line {number}\n".encode())
    assert printed.tail(17, timeout=60) == "line 248\nline 249"
    assert printed.count == KEPT_LINES + 50
    assert printed.since(KEPT_LINES + 48) == ["line 248", "line 249"]
    assert len(printed.since(0)) == KEPT_LINES
    assert printed.since(printed.count) == []


def test_of_a_progress_bar_its_last_state_is_kept_and_what_is_no_text_does_no_harm() -> None:
    reading, writing = pipe()
    printed = Printed(reading)
    with writing:
        writing.write(b"\r 10%\r 50%\r100%\n\xff\xfe\n")
    assert printed.tail(100, timeout=60) == "100%\n��"


def test_a_stream_that_does_not_end_is_not_waited_for() -> None:
    reading, writing = pipe()
    printed = Printed(reading)
    assert printed.tail(100, timeout=0) == ""
    writing.close()
