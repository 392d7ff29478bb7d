"""Everything that the description allows, and much that it does not: the API answers, and never breaks.

`DARKROOM_FUZZ=40` tries so many requests for each operation instead of a few.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import GenerationMode

from api.description import FACTS, TAGS
from api.serving import furnish
from api.shapes import PROBLEM
from pipeline.compare.grid import parse_comparison
from pipeline.models.checker import Checker
from pipeline.request import GenerationRequest, Stage
from tests.api.conftest import StillStudio
from tests.gallery.pictures import at

EXAMPLES = int(os.environ.get("DARKROOM_FUZZ", "8"))
"""Requests for each operation, at most; there are about seventy, and some know only one."""
CANNOT_BE_HAD = {"model_unavailable"}
"""What a studio without a hub and without a token must answer with a status above 500."""
MOST_WAITING = 20

APP = FastAPI(**FACTS)
furnish(APP)
SCHEMA = schemathesis.openapi.from_dict(APP.openapi())
SCHEMA.app = APP
OURS = [found.ok() for found in SCHEMA.get_all_operations() if set(found.ok().tags or ()) & TAGS.keys()]
OPERATIONS = [pytest.param(operation, id=operation.label) for operation in OURS]
thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
seen = Counter[int]()


@pytest.fixture(scope="module", autouse=True)
def without_a_hub(still: StillStudio) -> Iterator[None]:
    """Behind the API is a studio whose workers never start, that has no hub, and whose checks try no engine."""
    APP.state.studio = still
    still.models._checker = Checker(lambda record: [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def records(still: StillStudio) -> str:
    """The models of the studio, before one is forgotten."""
    return still.settings.models_file.read_text(encoding="utf-8")


@pytest.fixture
def there(still: StillStudio, records: str) -> dict[str, str]:
    """Names of things that are there, by the part of an address that they are for; what was deleted is there again."""
    still.settings.models_file.write_text(records, encoding="utf-8")
    still.models.refresh()
    job = still.submit(GenerationRequest(prompt="a boat"))
    job.cancel()  # one whose events end
    pictures = [still.gallery.save(at(0, prompt="a barn"), "job") for _ in range(2)]
    chain = still.chains.keep("Draft", GenerationRequest(prompt="a", then=(Stage(strength=0.5),)))
    wish = {"base": {"prompt": "a"}, "columns": {"field": "num_inference_steps", "values": [1, 2]}}
    sheet = still.comparisons.start(parse_comparison(wish), client="somebody")
    still.comparisons.cancel(sheet.id)
    return {
        "job_id": job.id,
        **dict.fromkeys(("image_id", "first_id"), pictures[0].id),
        "second_id": pictures[1].id,
        "upload_id": still.desk.take(Image.new("RGB", (64, 64))).id,
        "model_id": "tiny",
        "provider_id": "openai",
        "name": chain.name,
        "comparison_id": sheet.id,
        "place": "0",
    }


def requests(operation: Any) -> st.SearchStrategy[schemathesis.Case]:
    """What the description allows, and, where there is anything to get wrong, what it does not."""
    modes = [GenerationMode.POSITIVE]
    if operation.body or any((operation.path_parameters, operation.query, operation.headers)):
        modes.append(GenerationMode.NEGATIVE)
    return st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_request_breaks_an_operation(operation: Any, still: StillStudio, there: dict[str, str]) -> None:
    @thorough
    @given(case=requests(operation), about_what_is_there=st.booleans())
    def tried(case: schemathesis.Case, about_what_is_there: bool) -> None:
        if about_what_is_there:
            case.path_parameters.update({name: there[name] for name in case.path_parameters if name in there})
        answer = case.call(base_url="http://localhost")
        seen[answer.status_code] += 1
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == [PROBLEM]
            problem = answer.json()
            assert problem["detail"]
            assert answer.status_code < 500 or problem["code"] in CANNOT_BE_HAD

    tried()
    for job in still.queue()[MOST_WAITING:]:
        still.job(job.id).cancel()


def test_many_requests_were_tried() -> None:
    assert sum(seen.values()) > 3 * len(OPERATIONS), dict(seen)
    assert seen[200]
