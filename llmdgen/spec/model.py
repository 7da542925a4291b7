"""The spec as types: kind WellLitPath of llmdgen.dev/v1alpha1, the file that a platform engineer writes.

The JSON Schema in `schemas/` is generated from these types (`llmdgen.spec.schema`), descriptions and examples
included, and `llmdgen.spec.structure` turns a parsed file into them. `None` means that the path chooses.

msgspec, not pydantic, because a render has a tenth of a second: importing pydantic alone takes longer than that.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from llmdgen.findings import Place, Route
from llmdgen.spec.fields import Base, Duration, Label, Registry, Size, Subdomain
from llmdgen.spec.places import Places, locate
from llmdgen.spec.servers import Cache, Engine, Role, Transfer

API_VERSION = "llmdgen.dev/v1alpha1"
KIND = "WellLitPath"
DEFAULT_RELEASE = "v0.9.0"  # the newest whose images can be pulled


class Metadata(Base, frozen=True, kw_only=True):
    name: Annotated[
        Label,
        Meta(
            description="Names the deployment: its directory, its Helm releases, and its objects in the cluster.",
            examples=["gpt-oss-pd"],
        ),
    ]
    namespace: Annotated[
        Label | None, Meta(description="Kubernetes namespace. Default: llm-d-<name>.", examples=["llm-d-pd"])
    ] = None


class Model(Base, frozen=True, kw_only=True):
    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=256,
            description="Served model name, the `model` of a chat request.",
            examples=["openai/gpt-oss-120b"],
        ),
    ]
    uri: Annotated[
        str | None,
        Meta(
            description="Where the weights come from. Default: hf://<name>.",
            examples=[
                "hf://openai/gpt-oss-120b",
                "pvc://models/gpt-oss-120b",
                "pvc+hf://models/hub/openai/gpt-oss-120b",
            ],
        ),
    ] = None
    size: Annotated[
        Size | None,
        Meta(description="Model volume of each pod. Default: from the model facts.", examples=["250Gi"]),
    ] = None
    auth_secret_name: Annotated[
        Subdomain | None,
        Meta(
            description="Secret whose key HF_TOKEN holds the Hugging Face token. Never the token itself. "
            "Default: none, for a model that needs no token.",
            examples=["llm-d-hf-token"],
        ),
    ] = None
    config: Annotated[
        str | None,
        Meta(
            description="Path, beside the spec, of a Hugging Face config.json for a model that the facts do not know. "
            "Default: the facts.",
            examples=["./config.json"],
        ),
    ] = None


class Images(Base, frozen=True, kw_only=True):
    registry: Annotated[
        Registry | None,
        Meta(
            description="Takes the place of the registry and organisation of each image that has no reference here. "
            "Default: each image's own.",
            examples=["111122223333.dkr.ecr.us-east-1.amazonaws.com/llm-d"],
        ),
    ] = None
    pull_secrets: Annotated[
        tuple[Subdomain, ...],
        Meta(description="Secrets of the namespace with which model servers' images are pulled.", examples=[["ecr"]]),
    ] = ()
    model_server: Annotated[
        str | None,
        Meta(
            description="A variant of the release's model server image, or a reference with a tag or digest. "
            "Default: the release's own choice.",
            examples=["llm-d-aws", "registry.example.com/llm-d-aws:v0.9.0-patched"],
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        Meta(
            description="The endpoint picker's image, with a tag or digest. Default: the release's.",
            examples=["registry.example.com/llm-d-router-endpoint-picker:v0.10.0"],
        ),
    ] = None
    sidecar: Annotated[
        str | None,
        Meta(
            description="The routing sidecar's image, with a tag or digest. Default: the release's.",
            examples=["registry.example.com/llm-d-router-disagg-sidecar:v0.10.0"],
        ),
    ] = None


class LoadBalancer(Base, frozen=True, kw_only=True):
    scheme: Annotated[
        Literal["internal", "internet-facing"],
        Meta(
            description="Who reaches the API.",
        ),
    ] = "internal"
    target_type: Annotated[
        Literal["ip", "instance"],
        Meta(
            description="What the NLB sends traffic to.",
        ),
    ] = "ip"
    annotations: Annotated[
        dict[str, str],
        Meta(
            description="Further annotations of the AWS Load Balancer Controller; keys and values are checked.",
            examples=[{"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8"}],
        ),
    ] = {}


class Gateway(Base, frozen=True, kw_only=True):
    provider: Annotated[
        Literal["istio", "kgateway", "agentgateway"],
        Meta(
            description="Gateway API implementation in the cluster.",
        ),
    ] = "istio"
    idle_timeout: Annotated[
        Duration,
        Meta(description="How long the load balancer keeps a stream on which nothing is sent; 1m to 100m."),
    ] = "1h"
    load_balancer: Annotated[
        LoadBalancer | None,
        Meta(description="An AWS Network Load Balancer. Default: none, the gateway is a ClusterIP Service."),
    ] = None


class Scheduler(Base, frozen=True, kw_only=True):
    replicas: Annotated[
        Annotated[int, Meta(ge=1, le=16)], Meta(description="Endpoint pickers; more than one elects a leader.")
    ] = 1
    non_cached_tokens: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Prompt tokens not in a decode pod's cache from which prefill is disaggregated. 0: always. "
            "Default: 0; 16 in pd-disaggregation up to llm-d v0.6.0.",
            examples=[16, 0],
        ),
    ] = None
    weights: Annotated[
        dict[str, float],
        Meta(
            description="Weight of a scorer plugin, by its name. What is not named keeps the path's.",
            examples=[{"queue-scorer": 2}],
        ),
    ] = {}


class Toleration(Base, frozen=True, kw_only=True):
    key: Annotated[
        str | None,
        Meta(description="Taint key. Default: every taint, with operator Exists.", examples=["nvidia.com/gpu"]),
    ] = None
    operator: Annotated[
        Literal["Exists", "Equal"] | None,
        Meta(
            description="How the taint's value is compared. Default: Equal, Kubernetes' own.",
        ),
    ] = None
    value: Annotated[
        str | None, Meta(description="Taint value, for operator Equal. Default: empty.", examples=["inference"])
    ] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Meta(
            description="Taint effect that is tolerated. Default: every effect.",
        ),
    ] = None
    toleration_seconds: Annotated[
        int | None,
        Meta(description="Seconds until eviction, for effect NoExecute. Default: none, the pod stays.", examples=[300]),
    ] = None


class Cluster(Base, frozen=True, kw_only=True):
    efa_per_node: Annotated[
        Annotated[int, Meta(ge=0, le=64)] | None,
        Meta(
            description="EFA interfaces really attached to each node, where fewer than the instance type can have. "
            "Default: all that the type can have.",
            examples=[16],
        ),
    ] = None
    zone: Annotated[
        str | None,
        Meta(
            description="Availability zone of every pod. Default: where pods talk over EFA, the zone of the first pod.",
            examples=["us-east-1a"],
        ),
    ] = None
    node_selector: Annotated[
        dict[str, str],
        Meta(
            description="Further node labels that every model server selects.",
            examples=[{"karpenter.sh/nodepool": "gpu"}],
        ),
    ] = {}
    tolerations: Annotated[
        tuple[Toleration, ...],
        Meta(
            description="Further tolerations of every model server.",
            examples=[[{"key": "team", "operator": "Equal", "value": "inference", "effect": "NoSchedule"}]],
        ),
    ] = ()


class Values(Base, frozen=True, kw_only=True):
    router: Annotated[
        dict[str, Any], Meta(description="Merged into values/router.yaml: the pool and the scheduler.")
    ] = {}


class Suppression(Base, frozen=True, kw_only=True):
    code: Annotated[
        str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,4}[0-9]{3}$", description="The finding to silence.", examples=["GW004"])
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=8,
            description="Why it does not apply here; kept in SUMMARY.md.",
            examples=["why the finding does not apply here"],
        ),
    ]


class PathSpec(Base, frozen=True, kw_only=True):
    path: Annotated[str, Meta(description="The llm-d well-lit path.", examples=["pd-disaggregation"])]
    with_: Annotated[
        tuple[str, ...], Meta(description="Further paths composed with it.", examples=[["tiered-prefix-cache"]])
    ] = ()
    release: Annotated[str, Meta(description="llm-d release: images, charts, vLLM version, plugins.")] = DEFAULT_RELEASE
    platform: Annotated[
        Literal["eks", "hyperpod"],
        Meta(
            description="Amazon EKS or SageMaker HyperPod on EKS.",
        ),
    ] = "eks"
    instance_types: Annotated[
        Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)],
        Meta(description="One output directory each; EC2 names and HyperPod's ml. names.", examples=[["p5.48xlarge"]]),
    ]
    images: Annotated[Images, Meta(description="Every image of the deployment.")] = Images()
    model: Annotated[Model, Meta(description="What is served.")]
    gateway: Annotated[Gateway, Meta(description="How requests come in.")] = Gateway()
    prefill: Annotated[
        Role | None,
        Meta(description="Model servers that compute prompts. Default: what the path has; an error where it has none."),
    ] = None
    decode: Annotated[Role, Meta(description="Model servers that generate tokens.")] = Role()
    engine: Annotated[Engine, Meta(description="vLLM settings of every role.")] = Engine()
    transfer: Annotated[Transfer, Meta(description="KV cache transfer between prefill and decode.")] = Transfer()
    cache: Annotated[Cache, Meta(description="KV cache tiers below GPU memory (tiered-prefix-cache).")] = Cache()
    scheduler: Annotated[Scheduler, Meta(description="The endpoint picker (EPP).")] = Scheduler()
    cluster: Annotated[Cluster, Meta(description="What the nodes really have.")] = Cluster()
    values: Annotated[
        Values, Meta(description="Escape hatch of the router's chart; a path that it does not read is an error.")
    ] = Values()
    suppress: Annotated[
        tuple[Suppression, ...],
        Meta(
            description="Findings that do not apply, each with its reason.",
            examples=[[{"code": "GW004", "reason": "the security group admits our VPN only"}]],
        ),
    ] = ()


class Document(Base, frozen=True, kw_only=True):
    """The whole file, as it is validated."""

    api_version: Annotated[Literal["llmdgen.dev/v1alpha1"], Meta(description="Version of this format.")]
    kind: Annotated[Literal["WellLitPath"], Meta(description="Kind of this document.")]
    extends: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="Path, from this file, of a spec or a part of one that says what this file does not. "
            "Default: the file says everything itself.",
            examples=["../bases/gpt-oss.yaml"],
        ),
    ] = None
    metadata: Annotated[Metadata, Meta(description="Name and namespace.")]
    spec: Annotated[PathSpec, Meta(description="The deployment.")]


class Spec(Struct, frozen=True):
    """One document of a spec file, validated, with what its bases say, that knows its lines.

    `path` is the file as it was named by the caller, `index` the document's number in it, from 0; `places` leads from
    a route to the places of its key and of its value, in this file or in a base. `said` is the same document as plain
    data, without defaults.
    """

    path: str
    index: int
    metadata: Metadata
    spec: PathSpec
    places: Places
    said: dict[str, Any]

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace or f"llm-d-{self.metadata.name}"

    def locate(self, route: Route, on_key: bool = False) -> Place:
        """The place of a route, or of the nearest part of it that the file or a base of it holds."""
        place = locate(self.path, self.places, route, on_key)
        if place.path == self.path:
            return place
        return Place(place.path, place.line, place.column, self.path)
