"""The same over HTTP, from any machine that reaches the studio: queue, follow, fetch. Needs `pip install httpx`."""

from __future__ import annotations

import json
from pathlib import Path

import httpx


def main(address: str) -> None:
    with httpx.Client(base_url=address, timeout=60) as client:
        wish = {"prompt": "a red house by a lake at dusk", "seed": 42}
        answer = client.post("/api/v1/jobs", json=wish)
        if answer.is_error:  # says what is wrong, with which field, and what to do
            raise SystemExit(f"{answer.json()['detail']} {answer.json()['remedy']}")
        job = answer.json()["id"]

        with client.stream("GET", f"/api/v1/jobs/{job}/events") as events:
            for line in events.iter_lines():
                if not line.startswith("data: "):
                    continue
                event = json.loads(line.removeprefix("data: "))
                if event["type"] == "step":
                    print(f"Step {event['step']} of {event['total']}")

        for image in client.get(f"/api/v1/jobs/{job}").json()["images"]:
            file = Path(f"house-{image['recipe']['seed']}.png")
            file.write_bytes(client.get(f"/api/v1/images/{image['id']}/file").content)
            print(file)


if __name__ == "__main__":
    main("http://localhost:8501")
