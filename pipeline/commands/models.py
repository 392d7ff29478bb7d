"""`models`: what can run, what it needs, and its files; and what providers offer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal
from rich.markup import escape

from pipeline.commands.cache import app as cache
from pipeline.commands.display import Display, plain, print_json, print_table, transfer
from pipeline.commands.hosted import add_server, remove_server
from pipeline.commands.options import Json, Name, components, open_studio, option
from pipeline.errors import DarkroomError, InvalidRequest
from pipeline.request import Offload, Quantization, parse_request

if TYPE_CHECKING:
    from pipeline.models.files.fetch import FetchState
    from pipeline.models.planning.plan import Plan
    from pipeline.models.registry import Model, ModelRecord
    from pipeline.studio import Studio

app = typer.Typer(help="The models that Darkroom knows.", no_args_is_help=True)
app.add_typer(cache, name="cache")
app.command("add-server")(add_server)
app.command("remove-server")(remove_server)

LOOK_SECONDS = 0.2
_MARKS = {True: "[green]ok[/]", False: "[red]wrong[/]", None: "note"}


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """Show every model: its id, whether its files are here, and its licence; below them the hosted ones, and what each
    lacks."""
    from pipeline.hosted.facts import HostedFacts

    with closing(open_studio()) as studio:
        facts = [_facts(record, studio) for record in studio.models.records]
        hosted = [HostedFacts.of(model, state).model_dump(mode="json") for model, state in studio.hosted.offers]
    if as_json:
        print_json([*facts, *hosted])
        return
    print_table(
        [
            "default" if fact["default"] else "",
            escape(fact["id"]),
            _presence(fact),
            escape(fact["licence"]["name"] + (", gated" if fact["licence"]["gated"] else "")),
        ]
        for fact in facts
    )
    if hosted:
        typer.echo("\nHosted by providers, to whom prompts are sent:")
        print_table([escape(fact["id"]), escape(fact["provider_name"]), _readiness(fact)] for fact in hosted)


@app.command("providers")
def list_providers(
    acknowledge: Annotated[
        str | None, typer.Option(metavar="ID", help="Note that prompts may go to this one; no job warns of it then.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show who makes pictures elsewhere, whether they can be asked from here, and if not, what to set."""
    from pipeline.hosted.facts import ProviderFacts

    with closing(open_studio()) as studio:
        if acknowledge is not None:
            studio.hosted.acknowledge(acknowledge)
        facts = [ProviderFacts.of(state).model_dump(mode="json") for state in studio.hosted.providers]
    if as_json:
        print_json(facts)
        return
    print_table(
        [escape(fact["id"]), escape(fact["host"]), "acknowledged" if fact["acknowledged"] else "", _readiness(fact)]
        for fact in facts
    )


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show all that is known about one model."""
    with closing(open_studio()) as studio:
        facts = _facts(studio.model(name), studio)
    if as_json:
        print_json(facts)
    else:
        print_table(
            [key.replace("_", " "), escape(plain(value))]
            for key, value in facts.items()
            if value not in ("", [], {}, None)
        )


@app.command()
def plan(
    name: Name,
    steps: Annotated[int | None, option("num_inference_steps")] = None,
    width: Annotated[int | None, option("width")] = None,
    height: Annotated[int | None, option("height")] = None,
    count: Annotated[int, option("num_images")] = 1,
    quantization: Annotated[Quantization, option("quantization")] = "auto",
    component: Annotated[list[str] | None, option("component_quantization")] = None,
    offload: Annotated[Offload, option("offload")] = "auto",
    as_json: Json = False,
) -> None:
    """Say, before anything is downloaded, whether a model fits this machine and how; exit with 1 if it does not."""
    request = parse_request(
        prompt="a plan",
        model=name,
        num_inference_steps=steps,
        width=width,
        height=height,
        num_images=count,
        quantization=quantization,
        component_quantization=components(component or []),
        offload=offload,
    )
    with closing(open_studio()) as studio:
        found = studio.plan(request)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_table(_plan_rows(found))
    if not found.fits:
        raise typer.Exit(1)


@app.command("upscalers")
def list_upscalers(as_json: Json = False) -> None:
    """Show what can make pictures larger, by the names that `generate --upscaler` takes."""
    with closing(open_studio()) as studio:
        found = studio.models.upscalers()
    if as_json:
        print_json([{"name": one.name, "factor": one.factor, "refusal": one.refusal} for one in found])
        return
    print_table(
        [escape(one.name), f"[red]{escape(one.refusal)}[/]" if one.refusal else escape(one.sentence)] for one in found
    )


@app.command()
def fetch(name: Name, as_json: Json = False) -> None:
    """Download the files of a model; an interrupted download goes on where it stopped."""
    with closing(open_studio()) as studio, Display() as display:
        record = studio.models.find(name)
        last = _follow(studio, record, display)
    if last.error is not None:
        raise DarkroomError.from_info(last.error)
    if as_json:
        print_json(last.model_dump(mode="json"))
    else:
        typer.echo(f"{record.id} is here, {decimal(last.total)}.")


@app.command()
def add(
    source: Annotated[str, typer.Argument(help="Hub id (owner/name), diffusers folder or .safetensors file.")],
    as_json: Json = False,
) -> None:
    """Add a model of a known family to your own records."""
    with closing(open_studio()) as studio:
        record = studio.models.add(source)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        typer.echo(f"Added {record.id}, family {record.family}.")


@app.command()
def remove(
    name: Name,
    files: Annotated[bool, typer.Option("--files", help="Delete its downloaded files too.")] = False,
    as_json: Json = False,
) -> None:
    """Forget a model that you added; with --files delete its files, also those of a model that stays known."""
    with closing(open_studio()) as studio:
        record = studio.models.find(name)
        freed = studio.models.remove_files(record.id) if files else 0
        forgotten = _forget(studio, record, must=not files)
    if as_json:
        print_json({"id": record.id, "forgotten": forgotten, "freed_bytes": freed})
    else:
        done = (["is no longer known"] if forgotten else []) + ([f"{decimal(freed)} deleted"] if files else [])
        typer.echo(f"{record.id}: {', '.join(done)}.")


@app.command()
def verify(name: Name, as_json: Json = False) -> None:
    """Compare the files of a model with what its repository says; exit with 1 if one is missing or damaged."""
    with closing(open_studio()) as studio:
        record = studio.models.find(name)
        problems = studio.models.verify(record.id)
    if as_json:
        print_json([problem.model_dump(mode="json") for problem in problems])
    elif problems:
        print_table([escape(plain(value)) for value in problem.model_dump().values()] for problem in problems)
    else:
        typer.echo(f"The files of {record.id} are whole.")
    if problems:
        raise typer.Exit(1)


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(metavar="[ID]", help="One model.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: Json = False,
) -> None:
    """Test what can be tested without weights: classes, arguments, sizes; exit with 1 if something is wrong."""
    if (name is None) is not every:
        raise InvalidRequest("Nothing says which model to check.", "Name one, or give --all.")
    with closing(open_studio()) as studio:
        records = studio.models.records if name is None else (studio.models.find(name),)
        findings = studio.models.check([record.id for record in records])
    if as_json:
        found = {model: [one.model_dump(mode="json") for one in several] for model, several in findings.items()}
        print_json(found)
    else:
        print_table(
            [_MARKS[one.ok], escape(model), escape(one.name), escape(one.finding)]
            for model, several in findings.items()
            for one in several
        )
    if any(one.ok is False for several in findings.values() for one in several):
        raise typer.Exit(1)


def _follow(studio: Studio, record: ModelRecord, display: Display) -> FetchState:
    """Show a download to its end; Ctrl-C stops it and keeps what can be resumed."""
    try:
        return _show_all(studio, studio.models.fetch(record.id), display)
    except KeyboardInterrupt:
        studio.models.cancel_fetch(record.id)
        display.note("Stopped. What is downloaded stays; the same command goes on from there.")
        raise typer.Exit(130) from None


def _show_all(studio: Studio, state: FetchState, display: Display) -> FetchState:
    while not state.is_over:
        display.now(f"Fetching {transfer(state)}" if state.total else "Asking the hub", state.done, state.total or None)
        time.sleep(LOOK_SECONDS)
        state = next(now for now in studio.models.fetches() if now.model == state.model)
    return state


def _forget(studio: Studio, record: ModelRecord, *, must: bool) -> bool:
    """Remove the record if it is one's own; raises for another one when it `must` be removed."""
    try:
        studio.models.forget(record.id)
    except DarkroomError:
        if must:
            raise
        return False
    return True


def _facts(model: Model, studio: Studio) -> dict[str, Any]:
    """A checkpoint's record, what is on this disk, and whether it is the default; a hosted model's record, and whether
    it can be asked for."""
    from pipeline.hosted.facts import HostedFacts
    from pipeline.models.hosted import HostedModel

    if isinstance(model, HostedModel):
        return HostedFacts.of(model, studio.hosted.state(studio.hosted.provider(model))).model_dump(mode="json")
    inventory = studio.models.inventory(model.id).model_dump(mode="json")
    told = {"kind": "checkpoint", "default": model.id == studio.default.record.id}
    return model.model_dump(mode="json") | inventory | told


def _readiness(fact: dict[str, Any]) -> str:
    """Whether a hosted model or its provider can be asked, and what to do if not."""
    return "[green]ready[/]" if fact["ready"] else escape(f"{fact['reason']} {fact['remedy']}".strip())


def _presence(fact: dict[str, Any]) -> str:
    """Whether the files are here, in a few words."""
    total = fact["bytes_total"] or fact["download_bytes"]
    if fact["here"]:
        return "here"
    return (
        f"{decimal(fact['bytes_here'])} of {decimal(total)} here"
        if fact["bytes_here"]
        else f"{decimal(total)} to download"
    )


def _plan_rows(found: Plan) -> Iterator[list[str]]:
    """The plan as a person reads it: the answer, then what it rests on."""
    yield [escape(found.model), f"[{'green' if found.fits else 'red'}]{escape(found.sentence)}[/]"]
    yield from (["would fit", escape(way)] for way in found.nearest)
    yield from (["note", escape(warning)] for warning in found.warnings)
    yield ["reason", escape(found.reason)]
    for part in found.components:
        held = part.dtype if part.precision == "none" else part.precision
        yield [escape(part.name), f"{part.parameters:,} parameters, {held}, {decimal(part.bytes)}"]
    yield ["weights", decimal(found.weight_bytes) + ("" if found.exact else ", from the architectures")]
    yield ["activations", f"{decimal(found.activation_bytes)}, an estimate"]
    if found.kind != "cpu":
        yield ["GPU memory", f"{decimal(found.peak_device_bytes)} at most"]
    read = f", and {decimal(found.peak_ram_bytes)} with the files that are read meanwhile"
    yield ["main memory", f"{decimal(found.needed_ram_bytes)} at most{read}"]
    yield ["download", f"{decimal(found.download_bytes)}, {decimal(found.disk_free_bytes)} free on that disk"]
    yield ["licence", escape(found.licence + (", gated" if found.gated else ""))]
