"""How many wrong tokens an address may try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.patience import ADDRESSES, SECONDS, TRIES, Patience


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_so_many_wrong_ones_an_address_waits_until_the_first_is_long_ago() -> None:
    clock = Clock()
    patience = Patience(clock)
    for _ in range(TRIES):
        assert patience.wait("a") == 0
        patience.note_wrong("a")
        clock.now += 1
    assert patience.wait("a") == SECONDS - TRIES
    assert patience.wait("b") == 0
    clock.now = SECONDS
    assert patience.wait("a") == 0
    patience.note_wrong("a")
    assert patience.wait("a") == 1


def test_only_so_many_addresses_are_remembered() -> None:
    patience = Patience(Clock())
    for number in range(ADDRESSES + 5):
        patience.note_wrong(str(number))
    assert len(patience._wrong) == ADDRESSES
    assert "0" not in patience._wrong


@pytest.mark.parametrize(
    "attempt",
    [
        lambda client, token: client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"}),
        lambda client, token: client.post("/login", data={"token": token}),
    ],
    ids=["program", "form"],
)
def test_whoever_guesses_is_told_to_wait_and_no_token_is_looked_at_meanwhile(
    guarded: TestClient, attempt: Callable[[TestClient, str], Any]
) -> None:
    assert [attempt(guarded, f"guess {number}").status_code for number in range(TRIES)] == [401] * TRIES
    for token in ("guess", "sesame"):
        assert attempt(guarded, token).status_code == 429
    program = guarded.get("/api/v1/jobs", headers={"Authorization": "Bearer sesame"})
    assert (program.status_code, program.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(program.headers["Retry-After"]) <= SECONDS


def test_a_browser_that_is_in_stays_in_while_somebody_guesses_from_its_address(guarded: TestClient) -> None:
    guarded.post("/login", data={"token": "sesame"})
    for number in range(TRIES + 1):
        guarded.get("/api/v1/jobs", headers={"Authorization": f"Bearer {number}"})
    assert guarded.get("/api/v1/jobs").status_code == 200


def test_to_come_without_a_token_is_no_guess(guarded: TestClient) -> None:
    for _ in range(TRIES + 1):
        assert guarded.get("/api/v1/jobs").status_code == 401
    assert guarded.get("/api/v1/jobs", headers={"Authorization": "Bearer sesame"}).status_code == 200
