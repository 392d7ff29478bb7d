"""The report as a page that can be pasted, and read as it is."""

from __future__ import annotations

from pipeline.doctor import Check
from pipeline.report.facts import Proof, Report
from pipeline.report.markdown import written

REPORT = Report(
    darkroom="1.0",
    system="Linux",
    processor="Fast",
    devices=("cpu (2 cores), 8.0 GB",),
    versions={"torch": "2.13.0"},
    settings={"DARKROOM_TOKEN": "set"},
    engine="ready, demo loaded",
    checks=(Check(name="Disk", ok=False, finding="Full.", remedy="Free some."),),
    proofs=(),
    trouble=(),
)


def test_it_says_what_there_is_and_leaves_out_what_there_is_not() -> None:
    page = written(REPORT)
    for line in (
        "- Device: cpu (2 cores), 8.0 GB",
        "- Engine: ready, demo loaded",
        "- Versions: torch 2.13.0",
        "- `DARKROOM_TOKEN`: set",
        "- [WRONG] Disk: Full. Free some.",
    ):
        assert line in page.splitlines()
    assert "Pictures" not in page
    assert "trouble" not in page


def test_proofs_are_a_table_whose_cells_no_text_can_break() -> None:
    broken = Proof(device="cpu", quantization="nf4", ok=False, finding="a | b\nc")
    fine = Proof(device="cpu", quantization="none", ok=True, finding="It draws.", seconds=1.25, weight_bytes=37_000_000)
    page = written(REPORT.model_copy(update={"proofs": (fine, broken), "trouble": ("a line",)}))
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert len({len(row) for row in rows}) == 1
    assert "1.2 s" in rows[2]
    assert "37 MB" in rows[2]
    assert r"a \| b c" in rows[3]
    assert "```text\na line\n```\n" in page
