"""Write ``vocabulary/data/tree.json``: the open anatomy tree.

    pip install cellxgene_ontology_guide==1.11.1 pydicom==3.0.2 zstandard
    python tools/build_tree.py [--report]

Made of the model's structures in a curated outline (``tree_outline.json``), the part of UBERON (CC BY 3.0)
that concerns human anatomy, and the anatomical SNOMED CT codes of DICOM. UBERON's edges come mixed; whether
one means is-a or part-of is told from the names and definitions.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tree_sources import WORDS, SourceTerm, read_dicom, read_uberon, vocabulary_of

from textsegment.vocabulary.language.series import parse_numbered
from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.language.words import clean, read_data, stem, tokens
from textsegment.vocabulary.lexicon import Ambiguity, Concept, concept_name, load_concepts, load_lexicon
from textsegment.vocabulary.structures import load_structures

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "src/textsegment/vocabulary/data/tree.json"
MOST_PARENTS = 4
PIECES = "part|portion|segment|region|subdivision|branch|component|surface|wall|lobe"
OTHER_THINGS = WORDS["other_things"]  # labels that read like a structure of the model but are something else
SAME_THINGS = WORDS["same_things"]  # labels that do not read like it but are the same; empty: nothing


@dataclass
class Node:
    """A term of the tree while it is built."""

    id: str
    name: str
    synonyms: list[str] = field(default_factory=list)
    definition: str = ""
    parents: dict[str, str] = field(default_factory=dict)
    structures: list[str] = field(default_factory=list)


class Builder:
    """Puts the tree together: outline first, then UBERON, then DICOM."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.concept_ids: dict[str, str] = {}
        self.by_name: dict[str, str] = {}
        self.dropped: list[str] = []

    def add(self, node: Node) -> None:
        """Add a node under its name."""
        self.nodes[node.id] = node
        self.by_name.setdefault(clean(node.name), node.id)

    def outline(self) -> dict[str, str]:
        """Add the curated top and the model's structures; return the top of every anchor label of UBERON."""
        anchors = {}
        for top, content in json.loads((HERE / "tree_outline.json").read_text("utf-8")).items():
            top_id = f"top:{slug(top)}"
            self.add(Node(top_id, top))
            anchors.update(dict.fromkeys(content["anchors"], top_id))
            for group, members in content["groups"].items():
                group_id = f"{top_id}/{slug(group)}"
                self.nodes[group_id] = Node(group_id, group, parents={top_id: "part-of"})
                for member in members:
                    for concept in expand(member):
                        self.nodes[self.concept(concept)].parents.setdefault(group_id, "part-of")
        missing = [c.name for c in load_concepts().values() if c.name not in self.concept_ids]
        for name in missing:
            self.concept(load_concepts()[name])
        self.link_parts()
        return anchors

    def concept(self, concept: Concept) -> str:
        """Add the node of a concept and of its sides; return its identifier."""
        if concept.name in self.concept_ids:
            return self.concept_ids[concept.name]
        identifier = f"structure:{slug(concept.name)}"
        whole = [concept.unsided] if concept.unsided else [s for s in (concept.left, concept.right) if s]
        sided = [s for s in (concept.left, concept.right) if s]
        if len(sided) == 1 and not concept.unsided:
            only = sided[0]
            self.add(Node(identifier, only.name, structures=[only.name], definition=only.note))
        else:
            note = concept.unsided.note if concept.unsided else ""
            self.add(Node(identifier, concept.name, structures=[s.name for s in whole], definition=note))
            for structure in sided:
                child = Node(f"structure:{structure.id}", structure.name, structures=[structure.name])
                child.parents[identifier] = "is-a"
                self.add(child)
        self.concept_ids[concept.name] = identifier
        return identifier

    def link_parts(self) -> None:
        """Add the part-of edges between the model's own structures."""
        for structure in load_structures().values():
            whole = self.by_name[clean(structure.name)]
            for part in structure.parts:
                child = self.by_name[clean(part)]
                if child != whole and whole not in self.nodes[child].parents:
                    self.nodes[child].parents[whole] = "part-of"
        for name, identifier in self.concept_ids.items():
            if re.fullmatch(r"rib \d+", name):
                self.nodes[identifier].parents["structure:rib"] = "part-of"
            assert self.nodes[identifier].parents, f"{name} stands nowhere in the outline"

    def uberon(
        self, kept: dict[str, SourceTerm], above: dict[str, list[str]], anchors: dict[str, str]
    ) -> None:
        """Add UBERON's terms; those that are a structure of the model join its node."""
        place = {key: self.joined(term) for key, term in kept.items()}
        for key, term in kept.items():
            if place[key]:
                node = self.nodes[place[key]]
                node.synonyms += [term.name, *term.synonyms]
                node.definition = node.definition or term.definition
            elif term.name in OTHER_THINGS:
                self.add(Node(key, f"{term.name} (anatomy)", term.synonyms, term.definition))
                place[key] = key
            elif clean(term.name) in self.by_name:
                place[key] = self.by_name[clean(term.name)]
            else:
                self.add(Node(key, term.name, term.synonyms, term.definition))
                place[key] = key
        for key, term in kept.items():
            node = self.nodes[place[key]]
            if term.name in anchors and place[key] == key:
                node.parents[anchors[term.name]] = "part-of"
                continue
            if place[key] != key:
                continue
            for parent in climb(key, kept, above):
                if place[parent] != node.id:
                    node.parents.setdefault(place[parent], relation(term, kept[parent]))

    def joined(self, term: SourceTerm) -> str:
        """Return the node of the model's structure that the term is, or an empty text."""
        if term.name in SAME_THINGS:
            return self.by_name.get(clean(SAME_THINGS[term.name]), "") if SAME_THINGS[term.name] else ""
        if term.name in OTHER_THINGS:
            return ""
        target = exact_target(term.name)
        return self.by_name.get(clean(target), self.concept_ids.get(target, "")) if target else ""

    def dicom(self, terms: Iterable[SourceTerm]) -> None:
        """Add DICOM's terms that are not there yet, under what their name says they belong to."""
        known = dict(self.by_name)
        for node in self.nodes.values():
            for synonym in node.synonyms:
                known.setdefault(clean(synonym), node.id)
        for term in terms:
            target = exact_target(term.name)
            if clean(term.name) in known or target:
                holder = known.get(clean(term.name)) or self.by_name.get(
                    clean(target), self.concept_ids.get(target, "")
                )
                if holder:
                    self.nodes[holder].synonyms.append(term.name)
                continue
            if parent := parent_by_name(term.name, known):
                self.add(Node(term.id, term.name, term.synonyms, "", {parent[0]: parent[1]}))
                known[clean(term.name)] = term.id

    def extra(self) -> None:
        """Add the hand-made terms of ``tree_extra.tsv`` that are not there yet."""
        for line in (HERE / "tree_extra.tsv").read_text("utf-8").splitlines():
            if line.startswith("#"):
                continue
            above, kind, names = line.split("\t")
            groups = [
                key for key, node in self.nodes.items() if key.startswith("top:") and node.name == above
            ]
            parent = groups[0] if groups else self.by_name[clean(above)]
            for name, _, short in (entry.partition("=") for entry in names.split("; ")):
                node = self.nodes.get(self.by_name.get(clean(name), ""))
                if node is None and not exact_target(name):
                    node = Node(f"term:{slug(name)}", name)
                    self.add(node)
                if node:
                    node.parents.setdefault(parent, kind)
                    node.synonyms += [short] if short else []

    def finish(self) -> list[Node]:
        """Return the nodes that hang from the top, without cycles, the curated ones first."""
        for node in self.nodes.values():
            node.parents = {p: r for p, r in node.parents.items() if p in self.nodes}
        self.cut_cycles()
        reached: set[str] = {key for key in self.nodes if re.fullmatch(r"top:[^/]+", key)}
        grown = True
        while grown:
            fresh = {k for k, n in self.nodes.items() if k not in reached and reached & set(n.parents)}
            reached |= fresh
            grown = bool(fresh)
        self.dropped = [n.name for k, n in self.nodes.items() if k not in reached]
        nodes = [n for k, n in self.nodes.items() if k in reached]
        for node in nodes:
            kept = [(p, r) for p, r in node.parents.items() if p in reached]
            node.parents = dict(kept[: MOST_PARENTS + 2])
        return sorted(
            nodes,
            key=lambda n: (not n.id.startswith("top:"), not n.structures and not n.id.startswith("top:")),
        )

    def cut_cycles(self) -> None:
        """Remove the edges that close a circle, those of UBERON first."""
        state: dict[str, int] = {}

        def visit(start: str) -> None:
            stack = [(start, iter(list(self.nodes[start].parents)))]
            state[start] = 1
            while stack:
                key, parents = stack[-1]
                parent = next(parents, None)
                if parent is None:
                    state[key] = 2
                    stack.pop()
                elif state.get(parent, 0) == 1:
                    del self.nodes[key].parents[parent]
                elif state.get(parent, 0) == 0:
                    state[parent] = 1
                    stack.append((parent, iter(list(self.nodes[parent].parents))))

        for key in self.nodes:
            if state.get(key, 0) == 0:
                visit(key)


def slug(name: str) -> str:
    """Return a name as an identifier."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def expand(member: str) -> list[Concept]:
    """Return the concepts of a line of the outline; ``*gyrus`` means all whose name ends so."""
    concepts = load_concepts()
    if member.startswith("*"):
        return [
            c
            for name, c in concepts.items()
            if name.endswith(member[1:]) or (member == "*gyrus" and brain_part(c))
        ]
    if member in concepts:
        return [concepts[member]]
    return [concepts[concept_name(load_structures()[member])]]


def brain_part(concept: Concept) -> bool:
    """Return whether a concept is a part of the cortex by our own kinds."""
    one = concept.unsided or concept.left or concept.right
    words = ("gyrus", "cortex", "cuneus", "subcallosal", "temporal lobe", "remainder")
    return bool(one and one.kind == "brain region" and any(word in concept.name for word in words))


def exact_target(name: str) -> str:
    """Return the structure or concept that a name means exactly by the lexicon, or an empty text."""
    lexicon = load_lexicon()
    words, side = take_side(name)
    found = (lexicon.find_sided(words) if side in ("left", "right") else None) or lexicon.find(words)
    if not found and (numbered := parse_numbered(name)) and len(numbered.structures) == 1:
        return numbered.structures[0]
    if not found or isinstance(found, Ambiguity) or found.relation not in ("exact", "sided"):
        return ""
    concept = load_concepts().get(found.target)
    if side is None or concept is None:
        return found.target
    one = concept.on(side) if side in ("left", "right") else concept.unsided
    return one.name if one else ""


def climb(key: str, kept: dict[str, SourceTerm], above: dict[str, list[str]]) -> list[str]:
    """Return the nearest kept terms above a term, none of them above another."""
    found: list[str] = []
    seen = {key}
    front = list(above[key])
    while front:
        parent = front.pop(0)
        if parent in seen or parent not in above:
            continue
        seen.add(parent)
        if parent in kept:
            found.append(parent)
        else:
            front.extend(above[parent])
    wider = {ancestor for parent in found for ancestor in all_above(parent, above)}
    return [parent for parent in found if parent not in wider][:MOST_PARENTS]


def all_above(key: str, above: dict[str, list[str]], cache: dict[str, set[str]] | None = None) -> set[str]:
    """Return everything above a term."""
    cache = CACHE if cache is None else cache
    if key not in cache:
        cache[key] = set()
        for parent in above.get(key, []):
            cache[key] |= {parent} | all_above(parent, above, cache)
    return cache[key]


CACHE: dict[str, set[str]] = {}


def relation(child: SourceTerm, parent: SourceTerm) -> str:
    """Return ``is-a`` or ``part-of``, told from the definition and the names."""
    definition = child.definition.lower()
    name = parent.name.lower()
    if re.search(
        rf"(?:{PIECES}) of (?:the |a |an )?{re.escape(name)}",
        definition,
    ):
        return "part-of"
    if re.match(rf"(?:an? |the |any |one of the |either of )?(?:\w+ ){{0,3}}{re.escape(name)}\b", definition):
        return "is-a"
    return "is-a" if head(child.name) == head(name) or name.endswith("system element") else "part-of"


def head(name: str) -> str:
    """Return the noun that says what a thing is: ``artery`` of "superior rectal artery"."""
    words = tokens(clean(re.split(r" (?:of|in|to|for) ", name)[0]))
    words = [word for word in words if not word.isdigit()]
    return stem(words[-1]) if words else ""


def parent_by_name(name: str, known: dict[str, str]) -> tuple[str, str] | None:
    """Return the node that a name hangs under: "X of Y" under Y, "rectal artery" under artery."""
    cleaned = clean(name)
    if " of " in cleaned:
        whole = cleaned.split(" of ", 1)[1].removeprefix("the ")
        if whole in known:
            return known[whole], "part-of"
    words = cleaned.split()
    for start in range(1, len(words)):
        for rest in (" ".join(words[start:]), " ".join(stem(w) for w in words[start:])):
            if rest in known:
                return known[rest], "is-a"
    return None


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="show which terms join a structure")
    report = parser.parse_args().report
    spec = importlib.util.find_spec("cellxgene_ontology_guide")
    if spec is None or spec.origin is None:
        parser.error("pip install cellxgene_ontology_guide==1.11.1 first")
    dicom = read_dicom()
    words = vocabulary_of(
        [t.name for t in dicom] + [read_data(n) for n in ("lexicon.tsv", "tg263.json", "structures.json")]
    )
    builder = Builder()
    anchors = builder.outline()
    kept, above = read_uberon(Path(spec.origin).parent / "data", words)
    builder.uberon(kept, above, anchors)
    builder.extra()
    builder.dicom(dicom)
    nodes = builder.finish()
    number = {node.id: index for index, node in enumerate(nodes)}
    rows = []
    for node in nodes:
        synonyms = list(dict.fromkeys(s for s in node.synonyms if clean(s) != clean(node.name)))[:8]
        parents = [[number[p], r] for p, r in node.parents.items()]
        rows.append([node.id, node.name, synonyms, node.definition, parents, node.structures])
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    OUTPUT.write_text(f'{{"terms":[\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(nodes)} terms, {OUTPUT.stat().st_size / 1e6:.1f} MB, {len(builder.dropped)} dropped")
    if report:
        for key, term in kept.items():
            if place := builder.joined(term):
                print(f"{term.name} -> {builder.nodes[place].structures} {key}")


if __name__ == "__main__":
    main()
