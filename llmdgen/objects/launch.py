"""The command of the vLLM container: `vllm serve` itself, or a script where a pod has to work out its rank first."""

from __future__ import annotations

from shlex import quote

from llmdgen.composition.contribution import SLOT
from llmdgen.planning.model import Plan, RolePlan

_BY_SCRIPT = ["/bin/bash", "-c"]
OWN_SECONDS, SHARED_SECONDS = 60, 600  # between two looks at the size of a tier
_KEEP = """\
# vLLM evicts no file of a tier: what was written first goes, so that bytes ($1) stay in a directory ($2).
keep_to() {
  while sleep "$3"; do
    find "$2" -type f -printf '%T@ %s %p\\n' | sort -rn | while read -r _ size file; do
      total=$((${total:-0} + size))
      [ "$total" -le "$1" ] || rm -f "$file"
    done || true
  done
}
"""


def command(plan: Plan, role: RolePlan) -> tuple[list[str], list[str]]:
    """The container's command and its arguments."""
    if plan.by_script:
        return _BY_SCRIPT, [script(plan, role)]
    return list(plan.server.command), [*role.head, *role.arguments]


def script(plan: Plan, role: RolePlan) -> str:
    """Starts vLLM with every argument quoted; a pod of several serves its own ranks."""
    workers = role.size.workers
    lines = [
        "set -euo pipefail",
        "",
        "# A crashed vLLM leaves its segments behind, and a restarted container would run out of shared memory.",
        "find /dev/shm -type f -delete",
        "",
        *_library_path(plan),
        *_slot(role),
        *_kept(role),
    ]
    if workers > 1:
        lines += [
            "# Each pod of the group serves its own ranks.",
            f"start_rank=$((LWS_WORKER_INDEX * {role.size.data_local}))",
            "",
        ]
    model, *flags = role.head
    words = [f"exec vllm serve {quote(model)}"]
    words += [f"  {quote(flag)} {quote(value)}" for flag, value in zip(flags[::2], flags[1::2], strict=True)]
    if workers > 1:
        words += ['  --data-parallel-address="$LWS_LEADER_ADDRESS"', '  --data-parallel-start-rank="$start_rank"']
    words += [f"  {quote(argument)}" for argument in role.arguments]
    return "\n".join(lines) + "\n" + " \\\n".join(words) + "\n"


def _slot(role: RolePlan) -> list[str]:
    """Takes a directory of the node's disk that no other pod holds, and empties it. The lock is vLLM's as long as it
    runs, so that no file is ever removed under an engine, and what dead pods left is used up by the next."""
    volume = next((each for each in role.volumes if each.slots), None)
    if volume is None:
        return []
    slots = " ".join(map(str, range(max(1, role.node.gpus))))
    return [
        "# Pods of a node share its disk: each takes a slot that no other holds, and empties what was left in it.",
        f"for slot in {slots}; do",
        f'  mkdir -p "{volume.mount_path}/$slot"',
        f'  exec 9>"{volume.mount_path}/$slot.lock"',
        "  if flock --nonblock 9; then held=$slot; break; fi",
        "done",
        f'[ -n "${{held:-}}" ] || {{ echo "no slot is free in {volume.mount_path}" >&2; exit 1; }}',
        f'find "{volume.mount_path}/$held" -mindepth 1 -delete',
        f'ln -sfn "{volume.mount_path}/$held" {SLOT}',
        "",
    ]


def _kept(role: RolePlan) -> list[str]:
    """Keeps files that the engine never evicts to a size, until the container ends. What pods share is looked at less
    often, because each of them looks."""
    kept = [volume for volume in role.volumes if volume.keeps]
    if not kept:
        return []
    starts = []
    for volume in kept:
        folder, seconds = (f"{SLOT}/", OWN_SECONDS) if volume.slots else (volume.mount_path, SHARED_SECONDS)
        starts.append(f"keep_to {volume.keeps[role.name]} {folder} {seconds} &")
    return [*_KEEP.splitlines(), *starts, ""]


def _library_path(plan: Plan) -> list[str]:
    """Puts the folders that the image leaves out before the library path, those of them that are there."""
    folders = plan.server.library_path
    if not folders:
        return []
    return [
        "# The image carries NCCL's EFA plugin outside its library path.",
        f"for directory in {' '.join(map(quote, folders))}; do",
        '  if [ -d "$directory" ]; then',
        '    export LD_LIBRARY_PATH="$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"',
        "  fi",
        "done",
        "",
    ]
