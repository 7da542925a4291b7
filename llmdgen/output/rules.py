"""Rules of writing: what stops a directory from being written, and their words in the catalogue."""

from __future__ import annotations

import errno

from llmdgen.findings import Located, Place
from llmdgen.registry import Rule, declare

NOT_OURS = declare("""OUT001 error: a file in the way was not written by llmdgen
    A file that the lock does not name, and that differs from what would be written, belongs to somebody.

    Fails:  rendered/x/p5.48xlarge/helmfile.yaml exists, llmdgen.lock does not list it.
    Passes: the file is listed in llmdgen.lock, or holds exactly the text that would be written.
""")

BAD_LOCK = declare("""OUT002 error: llmdgen.lock cannot be used
    The lock says which files llmdgen may replace and remove, so a lock that is damaged, or that names a file outside
    its own directory, is not believed in any part: nothing is written and nothing removed.

    Fails:  a merge conflict inside llmdgen.lock; an entry `../../etc/passwd`.
    Passes: the lock as the last render wrote it, or no lock at all.
""")

NOT_A_DIRECTORY = declare("""OUT003 error: a symbolic link or a special file is in the way
    Below the output directory llmdgen writes through real directories to regular files only; a symbolic link there
    could lead anywhere.

    Fails:  rendered/x/p5.48xlarge is a symbolic link to /etc.
    Passes: `-o` itself may be a symbolic link, for it is the caller's own choice.
""")

SHARED_NAME = declare("""OUT004 error: two specs write to one directory
    The directory of a spec is rendered/<metadata.name>/; two specs of one name would each remove the other's files.
    The name `cluster` is taken: rendered/cluster/ holds the prerequisites of a cluster.

    Fails:  paths/a.yaml and paths/b.yaml, both with metadata.name: chat.
    Passes: every spec of a render has a name of its own.
""")

NO_CHARTS = declare("""OUT005 error: the directory given with --charts lacks a chart
    `--charts DIR` makes helmfile.yaml name the router's chart by a path, so that it must be there:
    DIR/llm-d-router-gateway or, for the releases before v0.9.0, DIR/inferencepool, with its Chart.yaml.

    Fails:  --charts charts, and charts/llm-d-router-gateway/Chart.yaml does not exist.
    Passes: the charts of all releases in use unpacked below one directory.
""")


UNWRITTEN = declare("""OUT006 error: the output cannot be read or written
    A full disk, a directory that may not be written, a file system that is mounted read-only. All files of a spec
    are staged before the first one takes its place, so that what stood there stands there still.

    Fails:  -o /etc/rendered, by somebody who may not write there.
    Passes: a directory that may be written, on a disk with some hundred KiB free for each target.
""")


class OutputError(Exception):
    """What stops a directory from being written; nothing was. `findings` holds every reason, by file."""

    def __init__(self, findings: list[Located]) -> None:
        self.findings = tuple(sorted(findings, key=lambda found: (found.place, found.finding.code)))
        super().__init__("\n".join(str(found) for found in self.findings))


def refusal(rule: Rule, path: str, says: str, fix: str) -> Located:
    """A finding about a file of the output."""
    return Located(rule.at(says=says, fix=fix), Place(path))


def unwritten(error: OSError, root: str) -> Located:
    """A finding about what the system refuses below `root`."""
    fix = "let it be written, or name another directory with -o"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        fix = "make room for it, or name another directory with -o"
    path = error.filename if isinstance(error.filename, str) else root
    return refusal(UNWRITTEN, path, f"the system says: {error.strerror or error}", fix)
