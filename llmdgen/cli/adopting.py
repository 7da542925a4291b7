"""`llmdgen init --from`: a spec out of a deployment that others wrote."""

from __future__ import annotations

from llmdgen.cli.terminal import complain, count, report
from llmdgen.findings import SpecError

HEAD = """\
# yaml-language-server: $schema={schema}
# Read by `llmdgen init --from`. What it left out, it said; `llmdgen explain` knows every code.
"""


def adopted_spec(
    source: str, file: str | None, name: str | None, schema: str, of: str | None, model: str | None, nodes: str | None
) -> str | None:
    """The text of the spec, after what was left out is said on stderr; None where there is none, and that is said."""
    from llmdgen.adopt.found import UnusableSource
    from llmdgen.adopt.spec import adopted

    shown = file or "the spec"
    try:
        text, left, plan = adopted(source, shown, name or of or "adopted", of=of, model=model, nodes=nodes)
    except UnusableSource as error:
        for each in error.left:
            complain(str(each))
        complain(f"{source}: error: {error}")
        return None
    except SpecError as error:
        report(error.findings)
        complain(f"{source}: error: what is in it does not validate as a spec, and nothing is written")
        return None
    for each in left:
        complain(str(each))
    sizes = [(role, role.size.gpus_per_pod * role.size.workers) for role in plan.roles]
    roles = ", ".join(f"{role.size.replicas} x {role.name} of {count(gpus, 'GPU')}" for role, gpus in sizes)
    served = f"{' with '.join(plan.paths)} of {plan.spec.asked.model.name} on {plan.target}"
    complain(f"{shown}: {served}: {roles}; {count(len(left), 'setting')} left out")
    return HEAD.format(schema=schema) + text
