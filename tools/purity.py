"""The import-linter contract that keeps cores pure; its configuration is in pyproject.toml."""

import re
from dataclasses import dataclass
from typing import cast, override

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


@dataclass(frozen=True, slots=True)
class Impurity:
    """One import that a core must not have: `core` imports `imported` in line `line`."""

    core: str
    imported: str
    line: int


class PureCores(Contract):
    """Every module that is not a shell imports other cores and what is on a closed list, and nothing else.

    A closed list rather than a list of sins: a new module is covered on the day that it is written, and so
    is a library that nobody thought of. Only direct imports are looked at, since whatever a core may import
    of ours is a core too, or a package with a contract of its own.

    Options (module expressions: `*` is one name, `**` one or more):
        cores: the modules to check.
        shells: those of them that may do as they like, and that no core may import.
        allowed: what cores may import beside one another; a package stands for all that is in it.
    """

    type_name = "pure_cores"

    cores = fields.SetField(subfield=fields.StringField())
    shells = fields.SetField(subfield=fields.StringField())
    allowed = fields.SetField(subfield=fields.StringField())

    @override
    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        shells = _matching(graph, cast("set[str]", self.shells))
        cores = _matching(graph, cast("set[str]", self.cores)) - shells
        allowed = cast("set[str]", self.allowed)
        impurities = [
            Impurity(core, imported, _line(graph, core, imported))
            for core in sorted(cores)
            for imported in sorted(graph.find_modules_directly_imported_by(core))
            if imported in shells or not (imported in cores or _within(imported, allowed))
        ]
        return ContractCheck(kept=not impurities, metadata={"impurities": impurities})

    @override
    def render_broken_contract(self, check: ContractCheck) -> None:
        for impurity in cast("list[Impurity]", check.metadata["impurities"]):
            output.print_error(f"{impurity.core} imports {impurity.imported} (l.{impurity.line})", bold=False)
        output.new_line()
        output.print_error(
            "A core is given what it needs (the time as `now`, dice as `jitter`) and returns commands. Move"
            " the import to adapters/ or service.py; if what it imports is pure and was never needed before,"
            " add it to `allowed` in pyproject.toml.",
            bold=False,
        )
        output.new_line()


def _matching(graph: ImportGraph, expressions: set[str]) -> set[str]:
    """The modules that match at least one expression."""
    patterns = [re.compile(_pattern(expression)) for expression in expressions]
    return {module for module in graph.modules if any(pattern.fullmatch(module) for pattern in patterns)}


def _pattern(expression: str) -> str:
    names = {"*": r"[^.]+", "**": r".+"}
    return r"\.".join(names.get(name, re.escape(name)) for name in expression.split("."))


def _within(module: str, packages: set[str]) -> bool:
    """Whether a module is one of the packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _line(graph: ImportGraph, importer: str, imported: str) -> int:
    return graph.get_import_details(importer=importer, imported=imported)[0]["line_number"]
