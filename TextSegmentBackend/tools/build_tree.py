"""Write ``vocabulary/data/tree.json``: the open anatomy tree.

    pip install cellxgene_ontology_guide==1.11.1 pydicom==3.0.2 zstandard
    python tools/build_tree.py [--report]

The tree consists of the model's structures in a curated outline, our own tables (``tools/tree/*.tsv``) and
systematic terms (``tree_systematic.py``), followed by terms from UBERON (CC BY 3.0) and DICOM's SNOMED CT
codes, as far as their names prove an edge to an existing node. Edges that nothing proves are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tree_model import exact_target, expand
from tree_sources import WORDS, SourceTerm, read_dicom, read_uberon, relation, vocabulary_of
from tree_systematic import Row, systematic
from tree_terms import HERE, numbered_definition, read_definitions, tables

from textsegment.vocabulary.language.words import clean, read_data
from textsegment.vocabulary.lexicon import Concept, load_concepts
from textsegment.vocabulary.structures import Structure, load_structures

OUTPUT = HERE.parents[1] / "src/textsegment/vocabulary/data/tree.json"
OTHER_THINGS = WORDS["other_things"]  # labels that read like a structure of the model but are something else
SAME_THINGS = WORDS["same_things"]  # labels that mean a structure without naming it; empty: none
# Groups whose members all belong to one structure of the model.
KINDS = {
    "muscle": re.compile(r"^Muscles (?:of|in)"),
    "bone": re.compile(r"^Bones of|^Bone in general"),
}
KIND_OF_NAME = {
    " lymph node": "Lymph nodes",
    " artery": "Arteries",
    " vein": "Veins",
    " nerve": "Nerves and ganglia",
}
UNUSUAL = re.compile(
    r"primitive|congenital|anomalous|fistula|graft|truncus|umbilical|hemolymph|regional|conduit|collateral|tributary"
    r"|hindlimb|forelimb|systemic|atrial vein|ventricular vein|accessory|lobar|segmental"
)
SINGLE_BONE = re.compile(r"^(?!.*\b(?:of|process|air)\b).* bone$")
BONES = ["radius", "ulna", "fibula", "patella", "maxilla", "ilium", "ischium", "pubis", "coccyx", "vomer"]


@dataclass
class Node:
    """Term of the tree while it is being built."""

    id: str
    name: str
    synonyms: list[str] = field(default_factory=list)
    definition: str = ""
    parents: dict[str, str] = field(default_factory=dict)
    structures: list[str] = field(default_factory=list)


class Builder:
    """Builder of the tree: from the model, our own terms, then what the sources prove."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.concept_ids: dict[str, str] = {}
        self.by_name: dict[str, str] = {}
        self.definitions = read_definitions()

    def add(self, node: Node) -> None:
        """Add a node under its name and synonyms."""
        self.nodes[node.id] = node
        for name in (node.name, *node.synonyms):
            self.by_name.setdefault(clean(name), node.id)

    def outline(self) -> None:
        """Add the curated top levels and the model's structures."""
        for top, groups in json.loads((HERE / "outline.json").read_text("utf-8")).items():
            top_id = f"top:{slug(top)}"
            self.add(Node(top_id, top))
            for group, members in groups.items():
                node = Node(f"{top_id}/{slug(group)}", group, parents={top_id: "part-of"})
                self.add(node)
                for concept in (concept for member in members for concept in expand(member)):
                    self.nodes[self.concept(concept)].parents.setdefault(node.id, "part-of")
        for concept in load_concepts().values():
            self.concept(concept)
        self.link_parts()
        for structure, pattern in KINDS.items():
            for node in list(self.nodes.values()):
                if node.id.startswith("top:") and pattern.match(node.name) and node.name.count(" in ") == 0:
                    node.parents[self.by_name[structure]] = "is-a"

    def concept(self, concept: Concept) -> str:
        """Add the nodes of a concept and its sides, if missing; return the concept's identifier."""
        if concept.name in self.concept_ids:
            return self.concept_ids[concept.name]
        identifier = f"structure:{slug(concept.name)}"
        sided = [s for s in (concept.left, concept.right) if s]
        whole = [concept.unsided] if concept.unsided else sided
        if len(sided) == 1 and not concept.unsided:
            self.add(
                Node(
                    identifier, sided[0].name, [], self.define(concept, sided[0]), structures=[sided[0].name]
                )
            )
        else:
            self.add(
                Node(identifier, concept.name, [], self.define(concept), structures=[s.name for s in whole])
            )
            for structure in sided:
                child = Node(f"structure:{structure.id}", structure.name, [], self.define(concept, structure))
                child.structures, child.parents = [structure.name], {identifier: "is-a"}
                self.add(child)
        self.concept_ids[concept.name] = identifier
        return identifier

    def define(self, concept: Concept, structure: Structure | None = None) -> str:
        """Return the plain-language definition of a structure of the model."""
        text = self.definitions.get(concept.name) or numbered_definition(concept.name)
        side = f" On the {structure.side}." if structure and structure.side else ""
        assert text, f"{concept.name} has no definition"
        return text + side

    def link_parts(self) -> None:
        """Add the edges between the model's own structures."""
        for structure in load_structures().values():
            whole = self.by_name[clean(structure.name)]
            for part in structure.parts:
                child = self.by_name[clean(part)]
                kind = (
                    "is-a" if re.search(r"\brib\b|intervertebral disc|head of", structure.name) else "part-of"
                )
                if child != whole:
                    self.nodes[child].parents.setdefault(whole, kind)
        for name, identifier in self.concept_ids.items():
            if re.fullmatch(r"rib \d+", name):
                self.nodes[identifier].parents["structure:rib"] = "is-a"
            assert self.nodes[identifier].parents, f"{name} stands nowhere in the outline"

    def own(self, rows: Iterable[Row]) -> None:
        """Add our own terms; existing nodes get an additional edge."""
        for row in rows:
            optional = row.above.endswith("?")  # attach to a side of the term above, if it has sides
            above = (
                self.by_name.get(clean(row.above.removesuffix("?")), "")
                if optional
                else self.by_name[clean(row.above)]
            )
            if not above:
                continue
            node = self.nodes.get(self.by_name.get(clean(row.name), ""))
            if node is None:
                assert not exact_target(row.name), f"{row.name} is {exact_target(row.name)}"
                node = Node(f"term:{slug(row.name)}", row.name, list(row.synonyms))
                self.add(node)
            if above != node.id:
                node.parents.setdefault(above, row.relation)

    def bones(self) -> None:
        """Add an is-a edge to "bone" for every single bone."""
        for node in list(self.nodes.values()):
            if node.id.startswith("term:") and (node.name in BONES or SINGLE_BONE.search(node.name)):
                node.parents.setdefault(self.by_name["bone"], "is-a")

    def uberon(self, kept: dict[str, SourceTerm], above: dict[str, set[str]]) -> None:
        """Merge UBERON's terms into existing nodes; add others below them where an edge is proved."""
        for term in kept.values():
            if holder := self.joined(term):
                node = self.nodes[holder]
                node.synonyms += [s for s in (term.name, *term.synonyms) if clean(s) not in self.by_name]
                node.definition = node.definition or term.definition
        grown = True
        while grown:
            grown = False
            for key, term in kept.items():
                if (
                    key in self.nodes
                    or self.joined(term)
                    or term.name in OTHER_THINGS
                    or exact_target(term.name)
                ):
                    continue
                names = {kept[a].name for a in above[key] if a in kept}
                if edges := self.proved(term, names):
                    self.add(Node(key, term.name, term.synonyms, term.definition, edges))
                    grown = True

    def proved(self, term: SourceTerm, names: Iterable[str]) -> dict[str, str]:
        """Return the edges from a term to nodes of these names, as far as the term's name proves them."""
        edges = {}
        for name in sorted(names, key=len, reverse=True):
            node = self.by_name.get(clean(name))
            if node and (kind := relation(term.name, name)) and not any(r == kind for r in edges.values()):
                edges[node] = kind
        return edges

    def joined(self, term: SourceTerm) -> str:
        """Return the identifier of the node that a term is the same as; empty if there is none."""
        if term.name in SAME_THINGS:
            return self.by_name.get(clean(SAME_THINGS[term.name]), "") if SAME_THINGS[term.name] else ""
        if term.name in OTHER_THINGS:
            return ""
        if found := self.by_name.get(clean(term.name)):
            return found
        target = exact_target(term.name)
        return self.by_name.get(clean(target), self.concept_ids.get(target, "")) if target else ""

    def dicom(self, terms: Iterable[SourceTerm]) -> None:
        """Add those of DICOM's terms that are new and whose names prove where they belong."""
        for term in terms:
            if self.joined(term) or exact_target(term.name):
                continue
            kind = next((end for end in KIND_OF_NAME if term.name.endswith(end)), "")
            if kind and not UNUSUAL.search(term.name):
                self.add(
                    Node(
                        term.id,
                        term.name,
                        term.synonyms,
                        "",
                        {self.by_name[clean(KIND_OF_NAME[kind])]: "is-a"},
                    )
                )
                continue
            ends = [term.name.rsplit(" of ", 1)[-1].removeprefix("the "), *tails(term.name)]
            if edges := self.proved(term, ends):
                self.add(Node(term.id, term.name, term.synonyms, "", edges))

    def finish(self) -> list[Node]:
        """Check the tree, and return its nodes: the curated top first, then the model's, then the others."""
        self.check()
        return sorted(
            self.nodes.values(),
            key=lambda n: (not n.id.startswith("top:"), not n.structures and not n.id.startswith("top:")),
        )

    def check(self) -> None:
        """Check that there are no cycles and that every node is connected to the top."""
        done: set[str] = {key for key, node in self.nodes.items() if re.fullmatch(r"top:[^/]+", key)}
        grown = True
        while grown:
            fresh = {k for k, n in self.nodes.items() if k not in done and set(n.parents) <= done}
            done |= fresh
            grown = bool(fresh)
        left = [node.name for key, node in self.nodes.items() if key not in done]
        assert not left, f"in circles: {left[:20]}"


def tails(name: str) -> list[str]:
    """Return the tails of a name, longest first, such as "rectal artery" and "artery"."""
    words = name.split()
    return [" ".join(words[at:]) for at in range(1, len(words))]


def slug(name: str) -> str:
    """Return a name as an identifier."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def main() -> None:
    """Write ``tree.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="show what comes from where")
    report = parser.parse_args().report
    spec = importlib.util.find_spec("cellxgene_ontology_guide")
    if spec is None or spec.origin is None:
        parser.error("pip install cellxgene_ontology_guide==1.11.1 first")
    dicom = read_dicom()
    words = vocabulary_of(
        [t.name for t in dicom] + [read_data(n) for n in ("lexicon.tsv", "tg263.json", "structures.json")]
    )
    builder = Builder()
    builder.outline()
    builder.own([*tables(), *systematic()])
    builder.bones()
    builder.uberon(*read_uberon(Path(spec.origin).parent / "data", words))
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
    print(f"{len(nodes)} terms, {OUTPUT.stat().st_size / 1e6:.1f} MB")
    if report:
        for kind in ("top", "structure", "term", "UBERON", "SCT"):
            print(kind, sum(node.id.startswith(kind) for node in nodes))


if __name__ == "__main__":
    main()
