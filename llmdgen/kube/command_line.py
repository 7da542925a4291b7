"""What a container really runs: command and args with their variables filled in, a shell's script included.

Nothing is executed. Of a shell's language this reads what model server scripts use: assignments, quotes, line
continuations, `$NAME`, `${NAME:-default}`, `$(( ... ))` and `"$@"`. A variable that is known only in the cluster, such
as the address of a LeaderWorkerSet's leader, stays in the arguments as `$NAME`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence

_KUBERNETES = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)=", re.MULTILINE)
_SERVE = re.compile(r"(?:^|[\s;&|])vllm\s+serve(?=\s|$)")
# A piece of a shell's word, what is between words, and what ends a command.
_PIECE = re.compile(
    r"""'(?P<plain>[^']*)'?|"(?P<quoted>(?:[^"\\]|\\.)*)"?|\\(?P<escaped>.)"""
    r"""|(?P<reference>\$\(\(.*?\)\)|\$\{[^}]*\}|\$\w+)|(?P<space>[ \t]+)|(?P<end>[\n;&|])|(?P<other>.)""",
    re.DOTALL,
)
_BRACED = re.compile(r"\$\{(\w+)(:?-([^}]*))?\}")
_NAMED = re.compile(r"\$(\w+)")
_REFERENCE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}")
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def served_arguments(
    command: Sequence[str], args: Sequence[str], variables: Mapping[str, str]
) -> tuple[str, ...] | None:
    """Everything after `vllm serve`, None where the container does not run it.

    `variables` are those of the container whose values are known.
    """
    words = [expanded(word, variables) for word in (*command, *args)]
    if [word.rpartition("/")[2] for word in words[:1]] == ["vllm"] and words[1:2] == ["serve"]:
        return tuple(words[2:])
    if not command and "--served-model-name" in words and "--port" in words:
        return tuple(words)
    for index, word in enumerate(words[:-1]):
        if re.fullmatch(r"-[a-z]*c", word) and words[0].rpartition("/")[2] in ("sh", "bash"):
            return _script(words[index + 1], words[index + 3 :], variables)
    return None


def beside_serving(script: str) -> str:
    """The lines of a shell's script but for comments and the command that starts vLLM."""
    lines = _without_comments(script.replace("\\\n", " ")).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip() and not _SERVE.search(line))


def unresolved(argument: str) -> str:
    """The argument with every variable left in it written as `$NAME`, however it was written."""
    return _REFERENCE.sub(lambda match: f"${match.group(1) or match.group(2)}", argument)


def references(text: object) -> set[str]:
    """The names that the kubelet would fill in: those in $(NAME). $$(NAME) is an escape."""
    return {name for name in _KUBERNETES.findall(text) if name} if isinstance(text, str) else set()


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """A value with its `$(NAME)` references filled in, as the kubelet does it."""

    def value(match: re.Match[str]) -> str:
        return "$" if match.group(1) is None else variables.get(match.group(1), match.group(0))

    return _KUBERNETES.sub(value, text)


def _script(script: str, positional: Sequence[str], variables: Mapping[str, str]) -> tuple[str, ...] | None:
    text = _without_comments(script.replace("\\\n", " "))
    match = _SERVE.search(text)
    if match is None:
        return None
    known = dict(variables)
    for assignment in _ASSIGNMENT.finditer(text, 0, match.start()):
        words = _words(text[assignment.end() :], (), known)
        known[assignment.group(1)] = words[0] if words else ""
    return tuple(_words(text[match.end() :], positional, known))


def _without_comments(text: str) -> str:
    return re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


def _words(text: str, positional: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """The words up to the end of the command: an unquoted newline, `;`, `&` or `|`."""
    words: list[str] = []
    current: str | None = None
    for piece in _PIECE.finditer(f"{text}\n"):
        kind, value = str(piece.lastgroup), piece[str(piece.lastgroup)]
        if kind in ("space", "end"):
            words += [] if current is None else [current]
            current = None
            if kind == "end":
                break
        elif kind == "quoted" and value == "$@" and current is None:
            words += positional
        else:
            value = re.sub(r'\\(["\\$`])', r"\1", value) if kind == "quoted" else value
            value = _expand_shell(value, variables) if kind in ("quoted", "reference") else value
            current = (current or "") + value
    return words


def _expand_shell(text: str, variables: Mapping[str, str]) -> str:
    def arithmetic(match: re.Match[str]) -> str:
        return _calculated(_filled(match.group(1), variables), variables) or match.group(0)

    return _filled(re.sub(r"\$\(\((.*?)\)\)", arithmetic, text), variables)


def _filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with the variables that are known in their places; of the others `$NAME` stays."""

    def braced(match: re.Match[str]) -> str:
        name, operation, default = match.groups()
        value = variables.get(name)
        if value is None or (value == "" and (operation or "").startswith(":")):
            return default if operation else f"${name}"
        return value

    return _NAMED.sub(lambda match: variables.get(match.group(1), match.group(0)), _BRACED.sub(braced, text))


def _calculated(expression: str, variables: Mapping[str, str]) -> str | None:
    """The value of a shell's integer expression, None where it holds what is not known."""
    try:
        return str(_integer(ast.parse(expression.strip(), mode="eval").body, variables))
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def _integer(node: ast.expr, variables: Mapping[str, str]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return int(variables.get(node.id, "unknown"))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_integer(node.left, variables), _integer(node.right, variables))
    raise ValueError("no integer expression")
