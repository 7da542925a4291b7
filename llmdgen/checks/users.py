"""The users that containers run as."""

from __future__ import annotations

from collections.abc import Iterator

from llmdgen.kube.servers import Servers
from llmdgen.registry import Draft, rule
from llmdgen.untyped import at


@rule("POD001", "error", "a container that must not be root is root")
def nobody_is_root_against_its_will(servers: Servers) -> Iterator[Draft]:
    """The kubelet refuses to start a container with runAsNonRoot whose user is 0, as the routing sidecar's would be
    where the whole pod is told to run as root: the pod never starts. Where vLLM alone has to be root, its container
    says so.

    Fails:  `{path: pd-disaggregation, decode: {pod: {securityContext: {runAsUser: 0}}}}`.
    Passes: `{path: pd-disaggregation, decode: {pod: {containers: [{name: vllm, securityContext: {runAsUser: 0}}]}}}`.
    """
    for workload in servers.workloads:
        pod = at(workload.spec, "securityContext", "runAsUser")
        strict = at(workload.spec, "securityContext", "runAsNonRoot")
        for container in workload.containers:
            own = at(container.doc, "securityContext", "runAsUser")
            user = pod if own is None else own
            refuses = at(container.doc, "securityContext", "runAsNonRoot")
            if user == 0 and (strict if refuses is None else refuses) is True:
                place = (*container.route, "securityContext", "runAsUser")
                yield workload.found(
                    *(workload.in_template("spec", "securityContext", "runAsUser") if own is None else place),
                    says=f"container {container.name} is told to run as root and not to: the kubelet does not start it",
                    fix="set runAsUser: 0 in the securityContext of the vllm container alone",
                )
