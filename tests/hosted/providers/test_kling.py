"""Kling's tasks, against a server that answers as its API reference says."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

import jwt
import pytest
from PIL import Image

from pipeline.errors import (
    ContentRefused,
    InvalidRequest,
    KeyMissing,
    ModelRetired,
    ProviderFailed,
    QuotaExceeded,
)
from pipeline.events import Asked as AskedEvent
from pipeline.events import Cancelled, Warned
from pipeline.hosted import retry
from pipeline.hosted.call import Arrival, Call
from pipeline.hosted.providers import download, kling
from pipeline.inputs import unseen
from pipeline.models.hosted import HostedModel
from pipeline.models.registry import Registry
from pipeline.request import GenerationRequest
from tests.hosted.conftest import HostedStudio, Told, call_of, kept
from tests.hosted.provider_server import Answer, Asked, ProviderServer, picture

ORDERED = "/v1/images/generations"
ACCESS, SECRET = "access-key-of-these-tests", "secret-key-of-these-tests-0123456789"
KEYS = {"KLING_ACCESS_KEY": ACCESS, "KLING_SECRET_KEY": SECRET}
PNG = {"Content-Type": "image/png"}


class KlingServer:
    """Kling on a server of this machine: orders, looks and downloads each have answers of their own, the last one for
    ever."""

    def __init__(self, server: ProviderServer) -> None:
        self.server = server
        self.orders = deque([ok(task_id="t1", task_status="submitted")])
        self.looks = deque([self.done("/1.png")])
        self.files = deque([Answer(picture(), headers=PNG)])
        server.answers(self._answer)

    def done(self, *paths: str) -> Answer:
        """A task whose pictures lie at these paths."""
        images = [{"index": index, "url": self.server.url + path} for index, path in enumerate(paths)]
        return ok(task_id="t1", task_status="succeed", task_result={"images": images})

    def asked(self, method: str, path: str) -> list[Asked]:
        """What was asked of a path, and below it."""
        return [one for one in self.server.asked if one.method == method and one.path.startswith(path)]

    def _answer(self, asked: Asked) -> Answer:
        answers = self.orders if asked.method == "POST" else self.looks if "/images/" in asked.path else self.files
        return answers.popleft() if len(answers) > 1 else answers[0]


def ok(**data: Any) -> Answer:
    """An answer without an error."""
    return Answer({"code": 0, "message": "SUCCEED", "request_id": "r1", "data": data})


def error(status: int, code: int, message: str = "as the reference says", **headers: str) -> Answer:
    """An error of Kling's own."""
    body = {"code": code, "message": message, "request_id": "r2"}
    return Answer(body, status, {"Content-Type": "application/json"} | headers)


@pytest.fixture
def server(provider: ProviderServer) -> KlingServer:
    return KlingServer(provider)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kling, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(retry, "LONGEST", 0.0)
    monkeypatch.setattr(retry, "LOOK", 0.0)


def model(name: str = "kling/kling-v3") -> HostedModel:
    return next(one for one in Registry.read().hosted if one.id == name)


def call(server: KlingServer, name: str = "kling/kling-v3", **fields: Any) -> Call:
    made = call_of(model(name), server.server.url, **fields)
    brought = {"image": unseen(made.image.size)} if made.image else {}
    return replace(made, request=made.request.model_copy(update=brought), keys=KEYS)


def make(server: KlingServer, told: Told, **fields: Any) -> list[Arrival]:
    return kling.make(call(server, **fields), told.watch)


# -- orders -------------------------------------------------------------------------------------------------------


def test_a_task_is_noted_looked_at_until_it_is_done_and_its_picture_is_fetched(server: KlingServer, told: Told) -> None:
    server.looks = deque([ok(task_id="t1", task_status="submitted"), ok(task_id="t1", task_status="processing")])
    server.looks.append(server.done("/1.png"))
    [arrival] = make(server, told)
    assert (arrival.data, arrival.request_id) == (picture(), "r1")
    assert told.tasks == ["t1"]
    assert len(server.asked("POST", ORDERED)) == 1
    assert len(server.asked("GET", f"{ORDERED}/t1")) == 3


def test_an_order_says_model_shape_and_number(server: KlingServer, told: Told) -> None:
    server.looks = deque([server.done("/1.png", "/2.png", "/3.png")])
    arrivals = make(server, told, width=1360, height=768, negative_prompt="fog", count=3)
    assert len(arrivals) == 3
    assert server.asked("POST", ORDERED)[0].json == {
        "model_name": "kling-v3",
        "prompt": "a boat",
        "negative_prompt": "fog",
        "n": 3,
        "aspect_ratio": "16:9",
        "resolution": "1k",
    }


def test_each_request_has_a_fresh_token_and_a_download_has_none(server: KlingServer, told: Told) -> None:
    make(server, told)
    order, look, file = server.server.asked
    for asked in (order, look):
        kind, _, token = asked.headers["Authorization"].partition(" ")
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer=ACCESS)
        assert kind == "Bearer"
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
        assert set(claims) == {"iss", "exp", "nbf"}
        assert claims["exp"] - claims["nbf"] == kling.VALID + kling.EARLIER
        assert claims["nbf"] < time.time() < claims["exp"]
    assert "Authorization" not in file.headers


def test_a_picture_to_work_from_goes_without_a_prefix_and_without_the_negative_prompt(
    server: KlingServer, told: Told
) -> None:
    photo = Image.new("RGB", (400, 300), "red")
    body = sent(server, told, image=photo, negative_prompt="fog")
    with Image.open(io.BytesIO(base64.b64decode(body["image"], validate=True))) as image:
        assert (image.format, image.size, image.getpixel((0, 0))) == ("PNG", (400, 300), (255, 0, 0))
    assert "negative_prompt" not in body
    assert body["aspect_ratio"] == "4:3"


def test_an_omni_model_is_asked_and_looked_at_in_its_own_place(server: KlingServer, told: Told) -> None:
    body = sent(server, told, name="kling/kling-v3-omni", image=Image.new("RGB", (400, 300)), width=4096, height=4096)
    assert server.server.asked[0].path == "/v1/images/omni-image"
    assert server.server.asked[1].path == "/v1/images/omni-image/t1"
    assert (body["model_name"], body["resolution"]) == ("kling-v3-omni", "4k")
    assert list(body["image_list"][0]) == ["image"]


def test_a_picture_that_is_too_large_for_kling_is_sent_smaller(
    server: KlingServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kling, "MOST_BYTES", 30_000)
    noise = Image.effect_noise((kling.LONGEST_SIDE + 404, 300), 80).convert("RGB")
    with Image.open(io.BytesIO(base64.b64decode(sent(server, told, image=noise)["image"]))) as image:
        assert image.format == "JPEG"
        assert image.width == kling.LONGEST_SIDE


def sent(server: KlingServer, told: Told, **fields: Any) -> dict[str, Any]:
    """The body of the order that is made."""
    make(server, told, **fields)
    return server.server.asked[0].json


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (error(401, 1002), KeyMissing, "KLING_ACCESS_KEY and KLING_SECRET_KEY"),
        (error(401, 1003), KeyMissing, "clock of this machine"),
        (error(401, 1004), KeyMissing, "clock of this machine"),
        (error(429, 1101), QuotaExceeded, "has nothing left"),
        (error(200, 1102), QuotaExceeded, "has nothing left"),
        (error(403, 1103), KeyMissing, "may not use kling-v3"),
        (error(400, 1201, "n is wrong"), InvalidRequest, "n is wrong"),
        (error(404, 1203), ModelRetired, "no model kling-v3"),
        (error(400, 1301, "content risk"), ContentRefused, "content risk"),
        (error(429, 1304), InvalidRequest, "white list"),
        (error(504, 5002), ProviderFailed, "nothing was asked twice"),
        (error(400, 1999), ProviderFailed, "cannot make it now"),
        (Answer(b"<html>", 403, {}), ProviderFailed, "HTTP 403"),
        (Answer(b"<html>", 502, {}), ProviderFailed, "nothing was asked twice"),
        (ok(), ProviderFailed, "nothing was asked twice"),
        (Answer({"data": 3}), ProviderFailed, "nothing was asked twice"),
    ],
    ids=lambda value: str(value.body) if isinstance(value, Answer) else "",
)
def test_an_order_that_is_refused_is_not_repeated(
    server: KlingServer, told: Told, answer: Answer, kind: type[Exception], said: str
) -> None:
    server.orders = deque([answer])
    with pytest.raises(kind, match=said):
        make(server, told)
    assert len(server.server.asked) == 1
    assert not told.tasks


@pytest.mark.parametrize(
    "answer",
    [
        error(429, 1302),
        error(500, 5000),
        error(503, 5001),
        Answer(b"slow down", 429, {}),
    ],
    ids=["rate", "trouble", "maintenance", "a gateway's limit"],
)
def test_an_order_is_repeated_where_kling_says_that_nothing_came_of_it(
    server: KlingServer, told: Told, answer: Answer
) -> None:
    server.orders = deque([answer, answer, ok(task_id="t1", task_status="submitted")])
    assert len(make(server, told)) == 1
    assert len(server.asked("POST", ORDERED)) == 3
    assert [event.attempt for event in told.events if isinstance(event, AskedEvent)] == [2, 3]


def test_an_order_for_which_the_account_has_no_room_waits_until_another_task_has_ended(
    server: KlingServer, told: Told
) -> None:
    full = error(429, 1303, "parallel task over limit")
    server.orders = deque([full] * 2 * retry.ATTEMPTS + [ok(task_id="t1", task_status="submitted")])
    assert len(make(server, told)) == 1
    assert len(server.asked("POST", ORDERED)) == 2 * retry.ATTEMPTS + 1
    assert [event.crowded for event in told.events if isinstance(event, AskedEvent)] == [True, False]


def test_room_that_never_comes_is_said_with_klings_own_words(
    server: KlingServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kling, "PATIENCE", 0.0)
    server.orders = deque([error(429, 1303, "parallel task over limit")])
    with pytest.raises(QuotaExceeded, match="before another one ends: “parallel task over limit"):
        make(server, told)
    assert not server.asked("GET", ORDERED)


def test_an_order_whose_answer_breaks_off_is_never_repeated(server: KlingServer, told: Told) -> None:
    server.orders = deque([Answer({"code": 0, "data": {"task_id": "t1"}}, dropped=True)])
    with pytest.raises(ProviderFailed, match="nothing was asked twice"):
        make(server, told)
    assert len(server.server.asked) == 1


def test_a_kling_that_is_not_there_is_asked_again_and_then_said_to_be_unreachable(told: Told) -> None:
    with pytest.raises(ProviderFailed, match="cannot be reached at"):
        kling.make(replace(call_of(model(), "http://127.0.0.1:9"), keys=KEYS), told.watch)
    assert [event.attempt for event in told.events if isinstance(event, AskedEvent)]


# -- tasks --------------------------------------------------------------------------------------------------------


def test_every_look_is_repeated_and_a_broken_download_too(server: KlingServer, told: Told) -> None:
    server.looks = deque(
        [
            Answer({"code": 0}, dropped=True),
            Answer(b"<html>", 502, {}),
            error(500, 5000),
            error(429, 1302),
            Answer(b"", 401, {}),
            server.done("/1.png"),
        ]
    )
    server.files = deque([Answer(picture(), headers=PNG, dropped=True), Answer(picture(), headers=PNG)])
    assert make(server, told)[0].data == picture()
    assert len(server.asked("POST", ORDERED)) == 1
    assert len(server.asked("GET", ORDERED)) == 6
    assert len(server.asked("GET", "/1.png")) == 2


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Failure to pass the risk control system", ContentRefused),
        ("The prompt contains SENSITIVE words", ContentRefused),
        ("Service busy", ProviderFailed),
        (None, ProviderFailed),
    ],
)
def test_a_task_that_failed_says_why(
    server: KlingServer, told: Told, reason: str | None, kind: type[Exception]
) -> None:
    server.looks = deque([ok(task_id="t1", task_status="failed", task_status_msg=reason, task_result={})])
    with pytest.raises(kind, match=reason or "no reason given"):
        make(server, told)


@pytest.mark.parametrize("answer", [error(404, 1203, "task not found"), error(401, 1000)], ids=["gone", "key"])
def test_a_task_that_cannot_be_looked_at_is_named(server: KlingServer, told: Told, answer: Answer) -> None:
    server.looks = deque([answer])
    with pytest.raises(ProviderFailed, match="task t1"):
        make(server, told)


def test_a_task_that_never_ends_is_named_when_it_is_given_up(
    server: KlingServer, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kling, "PATIENCE", 0.0)
    server.looks = deque([ok(task_id="t1", task_status="processing")])
    with pytest.raises(ProviderFailed, match="task t1: still processing"):
        make(server, told)


def test_a_task_without_pictures_is_malformed(server: KlingServer, told: Told) -> None:
    server.looks = deque([server.done()])
    with pytest.raises(ProviderFailed, match="task t1 without pictures"):
        make(server, told)


def test_a_task_from_before_a_restart_is_looked_at_and_nothing_is_ordered(server: KlingServer, told: Told) -> None:
    [arrival] = make(server, told, task="t1")
    assert arrival.data == picture()
    assert not server.asked("POST", ORDERED)


def test_a_picture_that_cannot_be_fetched_does_not_lose_the_others(server: KlingServer, told: Told) -> None:
    server.looks = deque([server.done("/1.png", "/2.png")])
    server.files = deque([Answer(b"<html>gone</html>", headers={}), Answer(picture(), headers=PNG)])
    [arrival] = make(server, told, count=2)
    assert arrival.data == picture()
    [warned] = [event for event in told.events if isinstance(event, Warned)]
    assert f"{server.server.url}/1.png" in warned.message


def test_a_job_that_is_cancelled_after_its_order_still_brings_its_picture(server: KlingServer, told: Told) -> None:
    def look(asked: Asked) -> Answer:
        told.stop.set()
        return ok(task_id="t1", task_status="processing")

    order, answered = server.orders[0], deque([look, lambda asked: server.done("/1.png")])
    files = server.files[0]
    server.server.answers(
        lambda asked: (
            order if asked.method == "POST" else files if asked.path == "/1.png" else answered.popleft()(asked)
        )
    )
    assert make(server, told)[0].data == picture()


@pytest.fixture
def studio(hosted_studio: HostedStudio, server: KlingServer, monkeypatch: pytest.MonkeyPatch) -> HostedStudio:
    """A studio whose Kling is the server."""
    for name, value in {"KLING_BASE_URL": server.server.url, **KEYS}.items():
        monkeypatch.setenv(name, value)
    return hosted_studio


def test_jobs_of_an_account_with_room_for_one_task_are_all_made(
    studio: HostedStudio, server: KlingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.method == "POST":
            if room.acquire(blocking=False):
                return ok(task_id="t1", task_status="submitted")
            refused.set()
            return error(429, 1303)
        if asked.path == "/1.png":
            return Answer(picture(), headers=PNG)
        if not refused.is_set():
            return ok(task_id="t1", task_status="processing")
        room.release()
        return server.done("/1.png")

    room, refused = threading.Semaphore(1), threading.Event()
    monkeypatch.setattr(retry, "LOOK", 0.01)
    server.server.answers(answer)
    jobs = [studio.submit(GenerationRequest(prompt=f"a boat {number}", model="kling/kling-v3")) for number in range(3)]
    assert [len(job.result()) for job in jobs] == [1, 1, 1]


def test_a_job_that_waits_for_room_says_so_and_is_cancelled_at_once(
    studio: HostedStudio, server: KlingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "LOOK", 600.0)
    server.orders = deque([error(429, 1303)])
    job = studio.submit(GenerationRequest(prompt="a boat", model="kling/kling-v3"))
    for event in job.events():
        if isinstance(event, AskedEvent) and event.crowded:
            assert studio.jobs()[0].progress.crowded
            assert kept(studio) == [], "after a restart it is ordered as if it had waited in the queue"
            job.cancel()
    assert isinstance(event, Cancelled)
    assert "Waits for other tasks of the account at Kling" in [line.text for line in studio.log(job.id)]
    assert len(server.asked("POST", ORDERED)) == 1


def test_a_picture_by_kling_is_in_the_gallery_with_its_recipe(studio: HostedStudio) -> None:
    [image] = studio.generate("a boat", model="kling/kling-v3", negative_prompt="fog")
    assert image.recipe.hosted is not None
    assert (image.recipe.hosted.provider, image.recipe.hosted.request_id) == ("Kling", "r1")
    assert image.recipe.negative_prompt == "fog"
    assert SECRET not in image.recipe.model_dump_json()
