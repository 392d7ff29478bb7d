"""`doctor` in the shell: the checks, the proof, and the report of both."""

import json


def test_a_quick_look_is_a_report_with_every_check_and_without_pictures(shell):
    _, page, _ = shell("doctor", "--quick")
    _, text, _ = shell("doctor", "--quick", "--json")
    report = json.loads(text)
    assert {"name", "ok", "finding", "remedy"} == set(report["checks"][0])
    assert all(check["name"] in page for check in report["checks"])
    assert report["proofs"] == []
    assert page.startswith("### Darkroom: report\n")


def test_the_doctor_exits_with_1_when_something_will_not_work(shell, monkeypatch, environment):
    monkeypatch.setitem(environment, "DARKROOM_MODEL", "nope")
    code, out, _ = shell("doctor", "--quick")
    assert code == 1
    assert "There is no model named “nope”." in out


def test_unless_told_to_be_quick_it_proves_that_the_demo_draws(shell):
    code, text, err = shell("doctor", "--json")
    report = json.loads(text)
    assert [proof["quantization"] for proof in report["proofs"]][-3:] == ["none", "int8", "nf4"]
    assert all(proof["ok"] for proof in report["proofs"]), err
    assert code == any(check["ok"] is False for check in report["checks"])
