"""Compile the templates of a render into llmdgen/rendering/compiled.py: `python scripts/compile_templates.py`.

Jinja parses the templates; this walks its syntax tree and writes the Python that a person would write for it: a list of
texts, an `if` for each `{% if %}`, a `for` for each `{% for %}`, and the encoder around each `{{ }}`. A construct that
is not listed here stops with the template's name and line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import nodes

from llmdgen.rendering.encoding import FILTERS, kind
from llmdgen.rendering.environment import environment
from llmdgen.resources import TEMPLATES

OUTPUT = Path(__file__).parent.parent / "llmdgen" / "rendering" / "compiled.py"
NAMES = ("SUMMARY.md", "gaie.yaml", "helmfile.yaml", "infra.yaml", "ms.yaml", "role.yaml", "start.sh", "topology.svg")
HEAD = '''"""The templates of a render as Python, made by scripts/compile_templates.py: change the templates instead."""

from __future__ import annotations

from collections.abc import Callable

from llmdgen.rendering.encoding import Encoder, code, comment
from llmdgen.rendering.lookup import Context, defined, get, item, name
from llmdgen.rendering.yaml_text import block, lines
'''
OPERATORS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}
BINARY = {nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/", nodes.And: "and", nodes.Or: "or"}

Scope = dict[str, str]


class Unsupported(Exception):
    """A construct that the compiler does not know."""


class Compiler:
    """One template. `scope` leads from a template's loop variables to the Python names that hold them."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.source = (TEMPLATES / template).read_text("utf-8")
        self.includes: list[str] = []
        self.count = 0

    def function(self) -> str:
        """The function that renders the template."""
        tree = environment(kind(self.template)).parse(self.source, self.template)
        body = [f"    {line}" for line in self.statements(tree.body, {})]
        head = f"def {function_name(self.template)}(context: Context, encode: Encoder) -> str:"
        return "\n".join([head, "    out: list[str] = []", *body, '    return "".join(out)'])

    def statements(self, body: list[nodes.Node], scope: Scope) -> Iterator[str]:
        """The lines of a block."""
        for node in body:
            match node:
                case nodes.Output():
                    yield from self.output(node, scope)
                case nodes.If():
                    yield from self.choice(node, scope)
                case nodes.For():
                    yield from self.loop(node, scope)
                case nodes.With():
                    inner = dict(scope)
                    for target, value in zip(node.targets, node.values, strict=True):
                        expression = self.expression(value, scope)
                        yield f"{self.local(target, inner)} = {expression}"
                    yield from self.statements(node.body, inner)
                case nodes.Include(template=nodes.Const(value=included)):
                    self.includes.append(included)
                    variables = "".join(f", {key!r}: {value}" for key, value in scope.items())
                    yield f"out.append({function_name(included)}({{**context{variables}}}, encode))"
                case _:
                    raise self.unsupported(node)

    def output(self, node: nodes.Output, scope: Scope) -> Iterator[str]:
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                yield f"out.append({part.data!r})"
            else:
                yield f"out.append(encode({self.expression(part, scope)}))"

    def choice(self, node: nodes.If, scope: Scope) -> Iterator[str]:
        yield f"if {self.expression(node.test, scope)}:"
        yield from indented(self.statements(node.body, scope))
        for other in node.elif_:
            yield f"elif {self.expression(other.test, scope)}:"
            yield from indented(self.statements(other.body, scope))
        if node.else_:
            yield "else:"
            yield from indented(self.statements(node.else_, scope))

    def loop(self, node: nodes.For, scope: Scope) -> Iterator[str]:
        if node.else_ or node.recursive or node.test:
            raise self.unsupported(node)
        inner = dict(scope)
        items = self.expression(node.iter, scope)
        target = self.local(node.target, inner)
        if any(each.name == "loop" for each in node.find_all(nodes.Name)):
            self.count += 1
            every, index = f"items_{self.count}", f"index_{self.count}"
            inner["loop"] = f'{{"last": {index} == len({every}) - 1}}'
            yield f"{every} = list({items})"
            yield f"for {index}, {target} in enumerate({every}):"
        else:
            yield f"for {target} in {items}:"
        yield from indented(self.statements(node.body, inner))

    def local(self, target: nodes.Node, scope: Scope) -> str:
        """A loop variable's Python name, its own wherever it is bound."""
        if isinstance(target, nodes.Tuple):
            return ", ".join(self.local(each, scope) for each in target.items)
        if not isinstance(target, nodes.Name):
            raise self.unsupported(target)
        self.count += 1
        scope[target.name] = f"{target.name}_{self.count}"
        return scope[target.name]

    def expression(self, node: Any, scope: Scope) -> str:
        """An expression in Python."""

        def of(part: nodes.Node) -> str:
            return self.expression(part, scope)

        match node:
            case nodes.Name(name=key):
                return scope.get(key) or f"name(context, {key!r})"
            case nodes.Const(value=value):
                return repr(value)
            case nodes.List(items=items):
                return f"[{', '.join(map(of, items))}]"
            case nodes.Getattr(node=value, attr=key):
                return f"get({of(value)}, {key!r})"
            case nodes.Getitem(node=value, arg=key):
                return f"item({of(value)}, {of(key)})"
            case nodes.Filter(node=value, name=called, args=args) if called in FILTERS:
                return f"{called}({', '.join(map(of, [value, *args]))})"
            case nodes.Test(node=value, name="none"):
                return f"{of(value)} is None"
            case nodes.Test(node=value, name="defined"):
                return f"defined(lambda: {of(value)})"
            case nodes.Not(node=value):
                return f"not ({of(value)})"
            case nodes.Concat(nodes=parts):
                return " + ".join(f"str({of(part)})" for part in parts)
            case nodes.CondExpr(test=test, expr1=then, expr2=other) if other is not None:
                return f"({of(then)} if {of(test)} else {of(other)})"
            case nodes.Compare(expr=first, ops=[nodes.Operand(op=op, expr=second)]):
                return f"({of(first)} {OPERATORS[op]} {of(second)})"
            case nodes.BinExpr(left=left, right=right) if type(node) in BINARY:
                return f"({of(left)} {BINARY[type(node)]} {of(right)})"
        raise self.unsupported(node)

    def unsupported(self, node: nodes.Node) -> Unsupported:
        return Unsupported(f"{self.template}:{node.lineno}: {type(node).__name__} is not compiled")


def indented(lines: Iterator[str]) -> Iterator[str]:
    """The lines of an inner block; `pass` where it is empty."""
    inner = list(lines) or ["pass"]
    return (f"    {line}" for line in inner)


def function_name(template: str) -> str:
    """ms.yaml.j2 is ms_yaml."""
    return template.removesuffix(".j2").replace(".", "_").lower()


def compiled_text() -> str:
    """The whole module."""
    compilers = {f"{each}.j2": Compiler(f"{each}.j2") for each in NAMES}
    functions = {each: compiler.function() for each, compiler in compilers.items()}
    sources = {
        each: {part: sha256(compilers[part].source.encode()).hexdigest() for part in [each, *compiler.includes]}
        for each, compiler in compilers.items()
    }
    tables = [
        "TEMPLATES: dict[str, Callable[[Context, Encoder], str]] = {",
        *(f'    "{each}": {function_name(each)},' for each in functions),
        "}",
        "# The text that each was made of, its includes too.",
        "SOURCES: dict[str, dict[str, str]] = {",
        *(f'    "{each}": {parts!r},' for each, parts in sources.items()),
        "}",
    ]
    return "\n\n\n".join([HEAD.rstrip(), *functions.values(), "\n".join(tables)]) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(compiled_text(), "utf-8")
    sys.stdout.write(f"{OUTPUT.name}: {len(NAMES)} templates\n")
