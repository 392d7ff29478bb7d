"""`models add-server` and `models remove-server`."""

from __future__ import annotations

import json

from tests.commands.conftest import Shell
from tests.hosted.provider_server import Answer, provider_server


def test_a_server_is_added_and_forgotten(shell: Shell) -> None:
    with provider_server() as server:
        server.answers(Answer({"object": "list", "data": [{"id": "acme/one"}]}))
        code, out, err = shell("models", "add-server", server.url, "--name", "Upstairs", "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)["models"] == ["upstairs/acme/one"]
        code, out, _ = shell("models", "add-server", server.url, "--name", "Upstairs")
        assert (code, out.split()[-1]) == (0, "upstairs/acme/one")
    assert shell("models", "remove-server", "upstairs")[:2] == (0, "upstairs is no longer known.\n")
    code, out, err = shell("models", "remove-server", "upstairs")
    assert (code, out) == (1, "")
    assert "not among the servers" in err


def test_an_address_that_is_none_exits_with_2_and_one_line(shell: Shell) -> None:
    code, out, err = shell("models", "add-server", "upstairs")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1
