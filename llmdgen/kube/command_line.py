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
    current: list[str] | None = None
    index = 0
    while index < len(text):
        character = text[index]
        if character == "'":
            end = text.find("'", index + 1)
            end = len(text) if end < 0 else end
            current = [*(current or []), text[index + 1 : end]]
            index = end + 1
        elif character == '"':
            inner, index = _double_quoted(text, index + 1)
            if inner == "$@" and current is None:
                words.extend(positional)
            else:
                current = [*(current or []), _expand_shell(inner, variables)]
        elif character == "\\" and index + 1 < len(text):
            current = [*(current or []), text[index + 1]]
            index += 2
        elif character == "$":
            end = _reference_end(text, index)
            current = [*(current or []), _expand_shell(text[index:end], variables)]
            index = end
        elif character in " \t\n;&|":
            if current is not None:
                words.append("".join(current))
                current = None
            if character not in " \t":
                break
            index += 1
        else:
            current = [*(current or []), character]
            index += 1
    if current is not None:
        words.append("".join(current))
    return words


def _double_quoted(text: str, start: int) -> tuple[str, int]:
    """The text inside double quotes, with its backslash escapes taken out, and the index behind the closing quote."""
    inner: list[str] = []
    index = start
    while index < len(text) and text[index] != '"':
        if text[index] == "\\" and text[index + 1 : index + 2] in ('"', "\\", "$", "`"):
            index += 1
        inner.append(text[index])
        index += 1
    return "".join(inner), index + 1


def _reference_end(text: str, start: int) -> int:
    """The index behind the `$...` that begins at `start`."""
    if text.startswith("$((", start):
        end = text.find("))", start)
        return len(text) if end < 0 else end + 2
    if text.startswith("${", start):
        end = text.find("}", start)
        return len(text) if end < 0 else end + 1
    match = _NAMED.match(text, start)
    return match.end() if match else start + 1


def _expand_shell(text: str, variables: Mapping[str, str]) -> str:
    def arithmetic(match: re.Match[str]) -> str:
        return _calculated(match.group(1), variables) or match.group(0)

    def braced(match: re.Match[str]) -> str:
        name, operation, default = match.groups()
        value = variables.get(name)
        if value is None or (value == "" and (operation or "").startswith(":")):
            return default if operation else f"${name}"
        return value

    def named(match: re.Match[str]) -> str:
        return variables.get(match.group(1), match.group(0))

    return _NAMED.sub(named, _BRACED.sub(braced, re.sub(r"\$\(\((.*?)\)\)", arithmetic, text)))


def _calculated(expression: str, variables: Mapping[str, str]) -> str | None:
    """The value of a shell's integer expression, None where it holds what is not known."""

    def braced(match: re.Match[str]) -> str:
        return variables.get(match.group(1), match.group(3) or "?")

    bare = _NAMED.sub(r"\1", _BRACED.sub(braced, expression))
    try:
        return str(_integer(ast.parse(bare.strip(), mode="eval").body, variables))
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
