"""`doctor`: what this installation and this machine can do, proved and written down as a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.display import Display
from pipeline.commands.options import Json

if TYPE_CHECKING:
    from pipeline.report.facts import Proof
    from pipeline.settings import Settings

Quick = Annotated[bool, typer.Option("--quick", help="Only look; draw nothing.")]


def doctor(quick: Quick = False, as_json: Json = False) -> None:
    """Check this installation, and prove it: the demo draws on each device in each precision, a minute or two in all.

    Prints a report in Markdown for those who are told of a problem: without folders, names, prompts or tokens. Exits
    with 1 if something will not work.
    """
    from pipeline.doctor import run
    from pipeline.report.facts import Report
    from pipeline.report.markdown import written
    from pipeline.settings import read_settings

    settings = read_settings()
    checks = run(settings)
    proofs = [] if quick else _prove(settings)
    report = Report.gather(settings, checks, proofs=proofs)
    typer.echo(report.model_dump_json() if as_json else written(report), nl=as_json)
    if False in [*(check.ok for check in report.checks), *(proof.ok for proof in report.proofs)]:
        raise typer.Exit(1)


def _prove(settings: Settings) -> list[Proof]:
    from pipeline.proof import prove

    with Display() as display:
        return prove(settings, display.now)
