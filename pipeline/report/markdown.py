"""A report as Markdown, to be pasted where a problem is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.report.facts import Proof, Report

MARKS = {True: "ok", False: "WRONG", None: "note"}
_HEAD = ("Device", "Quantisation", "Works", "Finding", "Drawing", "Loading", "Weights", "Worker", "PSNR")


def written(report: Report) -> str:
    """The whole page; it ends with a line feed."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from ("### Darkroom: report", "")
    yield from _items({"Darkroom": report.darkroom, "System": report.system, "Processor": report.processor})
    yield from (f"- Device: {device}" for device in report.devices)
    yield from _items({"Engine": report.engine} if report.engine else {})
    yield f"- Versions: {', '.join(f'{name} {version}' for name, version in report.versions.items())}"
    yield from (f"- `{name}`: {value}" for name, value in report.settings.items())
    yield from ("", "#### Checks", "")
    yield from (
        f"- [{MARKS[check.ok]}] {check.name}: {check.finding} {check.remedy}".rstrip() for check in report.checks
    )
    if report.proofs:
        yield from ("", "#### Pictures of the demo", "")
        yield from _table([_HEAD, *map(_row, report.proofs)])
    if report.trouble:
        yield from ("", "#### Last trouble", "", "```text", *report.trouble, "```")


def _items(facts: dict[str, str]) -> Iterator[str]:
    return (f"- {name}: {value}" for name, value in facts.items())


def _row(proof: Proof) -> tuple[str, ...]:
    return (
        proof.device,
        proof.quantization,
        MARKS[proof.ok],
        proof.finding,
        _seconds(proof.seconds),
        _seconds(proof.load_seconds),
        _megabytes(proof.weight_bytes),
        _megabytes(proof.memory_bytes),
        "" if proof.psnr is None else f"{proof.psnr:.1f} dB",
    )


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """In columns, so that it can be read unrendered too."""
    safe = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*safe, strict=True)]
    yield _line(cell.ljust(width) for cell, width in zip(safe[0], widths, strict=True))
    yield _line("-" * width for width in widths)
    for row in safe[1:]:
        yield _line(cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _megabytes(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:,.0f} MB"
