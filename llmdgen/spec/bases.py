"""Where `extends` leads: a YAML file of the same repository, named by a relative path."""

from __future__ import annotations

import os
import re

from llmdgen.spec.read import ENDINGS, like
from llmdgen.spec.words import quoted

_RELATIVE = "write the path from this file to the base, such as ../bases/gpt-oss.yaml"


class Unusable(Exception):
    """A path that leads to no base. Holds the code of the finding, the reason and the fix."""

    def __init__(self, code: str, says: str, fix: str) -> None:
        super().__init__(says)
        self.code = code
        self.says = says
        self.fix = fix


class Tree:
    """The files that a spec may extend: those of its repository, or without one, of its own directory."""

    def __init__(self, spec: str) -> None:
        own = os.path.realpath(os.path.dirname(spec) or ".")
        self.is_repository = True
        self.root = own
        while not os.path.lexists(os.path.join(self.root, ".git")):
            above = os.path.dirname(self.root)
            if above == self.root:
                self.is_repository = False
                self.root = own
                break
            self.root = above

    def base(self, said: str, by: str) -> str:
        """The file that `by` extends, named as `by` itself is. Raises Unusable."""
        _refuse_form(said)
        path = os.path.join(os.path.dirname(by), said)
        real = os.path.realpath(path)
        if not self._holds(real):
            raise Unusable("SPEC023", f"{quoted(said)} is outside of {self._name()}", self._fix())
        if os.path.isdir(real):
            raise Unusable("SPEC024", f"{quoted(said)} is a directory", "name the file in it")
        if not os.path.lexists(real):
            raise Unusable("SPEC024", f"there is no file {quoted(said)}", self._meant(said, by, path))
        if not os.path.isfile(real):
            raise Unusable("SPEC024", f"{quoted(said)} is not a regular file", "put a file there")
        # A short name, unless .. behind a symbolic link makes it another file.
        short = os.path.normpath(path)
        return short if os.path.realpath(short) == real else path

    def _holds(self, real: str) -> bool:
        return real.startswith(self.root.rstrip(os.sep) + os.sep)

    def _name(self) -> str:
        if self.is_repository:
            return "the repository"
        return "the spec's directory, and no directory above that is a git repository"

    def _fix(self) -> str:
        if self.is_repository:
            return "put the base into the repository of the spec"
        return "put the base beside the spec or below it, or both into a git repository"

    def _meant(self, said: str, by: str, path: str) -> str:
        """The fix of a path that leads nowhere: a file of a similar name, or the same path from the repository."""
        folder, _ = os.path.split(said)
        from_root = os.path.realpath(os.path.join(self.root, said))
        if self._holds(from_root) and os.path.isfile(from_root):
            own = os.path.realpath(os.path.dirname(by) or ".")
            return f"did you mean {quoted(os.path.relpath(from_root, own), bare=True)}? It starts from this file"
        close = like(path, other_than=os.path.basename(by))
        if close:
            return f"did you mean {quoted(os.path.join(folder, close), bare=True)}?"
        return "check the path, which starts from this file"


def _refuse_form(said: str) -> None:
    if "://" in said:
        raise Unusable("SPEC023", f"{quoted(said)} is a URL, and nothing is read from the network", _RELATIVE)
    if "\\" in said:
        raise Unusable("SPEC023", f"{quoted(said)} holds a backslash", "write / between directories")
    if said.startswith(("/", "~")) or re.match(r"[A-Za-z]:", said):
        raise Unusable("SPEC023", f"{quoted(said)} is not relative to this file", _RELATIVE)
    if said.endswith("/") or said.split("/")[-1] in (".", ".."):
        raise Unusable("SPEC024", f"{quoted(said)} is a directory", "name the file in it")
    if not said.endswith(ENDINGS):
        raise Unusable("SPEC024", f"{quoted(said)} is not the name of a YAML file", "name a file that ends in .yaml")
