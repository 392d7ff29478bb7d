"""`doctor`, the start-up checks in the shell."""

import json


def test_the_doctor_reports_as_a_table_and_as_json(shell):
    _, table, _ = shell("doctor")
    _, text, _ = shell("doctor", "--json")
    checks = json.loads(text)
    assert {"name", "ok", "finding", "remedy"} == set(checks[0])
    assert all(check["name"] in table for check in checks)


def test_the_doctor_exits_with_1_when_something_will_not_work(shell, monkeypatch, environment):
    monkeypatch.setitem(environment, "DARKROOM_MODEL", "nope")
    code, out, _ = shell("doctor")
    assert code == 1
    assert "There is no model named “nope”." in out
