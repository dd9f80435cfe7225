"""``textsegment terms``: how a text is resolved, and what the vocabulary contains."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree as Branches

from textsegment.errors import (
    InputNotFoundError,
    InputUnreadableError,
    ModalityError,
    PromptError,
    SettingsError,
)
from textsegment.templates import template_named, template_text
from textsegment.vocabulary.answers import with_suggestions
from textsegment.vocabulary.description import (
    describe_branch,
    describe_resolutions,
    describe_template,
    describe_term,
)
from textsegment.vocabulary.resolve import MODALITIES, Resolution, resolve
from textsegment.vocabulary.search import search_terms, term_named
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.template import Template, load_templates
from textsegment.vocabulary.tree import Term, load_tree

terms_app = typer.Typer(no_args_is_help=True, help="Names of anatomy: resolve, search, browse, templates.")

Modality = Annotated[str, typer.Option("--modality", "-m", help="CT, MR or PT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
SUPPORT_COLORS = {"structure": "green", "parts": "cyan", "wider": "yellow", "none": "bright_black"}


@terms_app.command("resolve")
def resolve_command(
    text: Annotated[str | None, typer.Argument(help='What to look for, such as "lt kidney, L1-L5".')] = None,
    modality: Modality = "CT",
    batch: Annotated[Path | None, typer.Option(help='Lines of {"text": …, "modality": …} instead.')] = None,
    as_json: AsJson = False,
) -> None:
    """Show which structures a text stands for, or why it is not run."""
    if (text is None) == (batch is None):
        raise PromptError("Give either a text or --batch with a file.")
    requests = read_batch(batch) if batch else [(text or "", _modality(modality))]
    for one_text, one_modality in requests:
        results = resolve(one_text, one_modality)
        if as_json:
            typer.echo(json.dumps(describe_resolutions(one_text, one_modality, results)))
        else:
            Console().print(_resolution_table(results))
            answered = with_suggestions(one_text, one_modality)
            if answered.taken:
                typer.echo(f"With all suggestions: {answered.text}")


def read_batch(path: Path) -> Iterator[tuple[str, str]]:
    """Yield text and modality from every line of a JSON Lines file, skipping blank lines.

    Raises:
        InputNotFoundError: If the file does not exist.
        InputUnreadableError: If the file cannot be read, or a line is not
            ``{"text": …, "modality": "CT|MR|PT"}``.
        ModalityError: If a line names an unsupported modality.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except FileNotFoundError as error:
        raise InputNotFoundError("There is no such file of texts.", "Check the path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputUnreadableError("The file of texts cannot be read.", "It must be UTF-8 text.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputUnreadableError(f"Line {number} is not JSON.", BATCH_HINT) from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InputUnreadableError(f"Line {number} has no text.", BATCH_HINT)
        yield row["text"], _modality(str(row.get("modality", "CT")))


def _modality(name: str) -> str:
    if name.upper() not in MODALITIES:
        raise ModalityError(f"The modality {name!r} is not supported.", "Use CT, MR or PT.")
    return name.upper()


def _resolution_table(results: Iterable[Resolution]) -> Table:
    table = Table("Term", "Status", "Structures", "Note")
    for result in results:
        color = "green" if result.runs else "yellow"
        notes = list(result.warnings)
        if result.suggestions and not result.runs:
            notes.append(f"Perhaps: {', '.join(result.suggestions)}.")
        names = "\n".join(result.structures)
        table.add_row(escape(result.term), f"[{color}]{result.status}[/]", names, escape(" ".join(notes)))
    return table


@terms_app.command("search")
def search_command(
    text: Annotated[str, typer.Argument(help="Words of a name or synonym.")],
    modality: Modality = "CT",
    limit: Annotated[int, typer.Option(min=1, help="Most terms to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Find terms of the anatomy tree, in several languages, with what the model has for them."""
    chosen = _modality(modality)
    found = search_terms(text, limit)
    if as_json:
        typer.echo(json.dumps([describe_term(term, chosen) for term in found], ensure_ascii=False))
        return
    table = Table("Term", "Id", "Model", "Structures")
    for term in found:
        support = load_tree().support(term.id, chosen)
        kind = f"[{SUPPORT_COLORS[support.kind]}]{support.kind}[/]"
        table.add_row(escape(term.name), term.id, kind, _shortened(support.structures))
    Console().print(table)


def _shortened(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


@terms_app.command("tree")
def tree_command(
    term: Annotated[str | None, typer.Argument(help="Id or name to start at; the top if not given.")] = None,
    modality: Modality = "CT",
    depth: Annotated[int, typer.Option(min=1, max=8, help="Levels to show.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Browse the anatomy tree: green is in the model, grey is not."""
    chosen = _modality(modality)
    start = [term_named(term)] if term else list(load_tree().roots())
    if as_json:
        typer.echo(json.dumps([describe_branch(each, chosen, depth) for each in start], ensure_ascii=False))
        return
    for each in start:
        branches = Branches(_label(each, chosen))
        _grow(branches, each, chosen, depth)
        Console().print(branches)


def _label(term: Term, modality: str) -> str:
    kind = load_tree().support(term.id, modality).kind
    return f"[{SUPPORT_COLORS[kind]}]{escape(term.name)}[/]"


def _grow(branches: Branches, term: Term, modality: str, depth: int) -> None:
    if depth <= 1:
        return
    for child in load_tree().children(term.id):
        _grow(branches.add(_label(child, modality)), child, modality, depth - 1)


@terms_app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="Name or id of a structure or a term.")],
    modality: Modality = "CT",
    as_json: AsJson = False,
) -> None:
    """Show all that is known about a structure or a term."""
    chosen = _modality(modality)
    structure = load_structures().get(" ".join(name.lower().split()))
    term = load_tree().named(structure.name)[0] if structure else term_named(name)
    shown = describe_term(term, chosen)
    if structure:
        shown |= {
            "structure": structure.id,
            "modalities": list(structure.modalities),
            "kind": structure.kind,
            "side": structure.side,
            "opposite": structure.opposite,
            "parts": list(structure.parts),
            "color": list(structure.color),
            "terminology": structure.terminology,
            "note": structure.note,
        }
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    table = Table(show_header=False)
    for key, value in shown.items():
        if key == "parents":
            value = ", ".join(f"{load_tree()[p['id']].name} ({p['relation']})" for p in value)
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        if value not in ("", None):
            table.add_row(key, escape(str(value)))
    Console().print(table)


@terms_app.command("templates")
def templates_command(
    name: Annotated[
        str | None, typer.Argument(help="Id of a template, words for it, or a file of your own.")
    ] = None,
    modality: Modality = "CT",
    full: Annotated[bool, typer.Option("--full", help="With the optional structures of an OAR set.")] = False,
    as_json: AsJson = False,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print one as a file, to change and give to --template.")
    ] = False,
) -> None:
    """List the templates, or show what one of them runs and what the model lacks."""
    chosen = _modality(modality)
    if as_toml:
        if name is None:
            raise SettingsError("--toml prints one template.", "Name it.")
        typer.echo(template_text(template_named(name)), nl=False)
        return
    templates = [template_named(name)] if name else list(load_templates().values())
    if full:
        templates = [template.with_optional() for template in templates]
    if as_json:
        shown = [describe_template(template, chosen) for template in templates]
        typer.echo(json.dumps(shown[0] if name else shown, ensure_ascii=False))
        return
    if name:
        Console().print(_template_table(templates[0], chosen))
        for warning in templates[0].warnings(chosen):
            typer.echo(warning)
        return
    table = Table("Id", "Template", f"Structures in {chosen}")
    for template in templates:
        table.add_row(template.id, template.label, str(len(template.structures(chosen))))
    Console().print(table)


def _template_table(template: Template, modality: str) -> Table:
    table = Table("Output name", "Structures", title=template.label)
    for entry in template.chosen(modality):
        table.add_row(entry.output, ", ".join(entry.prompts))
    return table


BATCH_HINT = 'Every line must be like {"text": "left kidney", "modality": "CT"}.'
