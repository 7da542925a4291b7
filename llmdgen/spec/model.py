"""The spec as types: kind WellLitPath of llmdgen.dev/v1alpha1, the file that a platform engineer writes.

The JSON Schema in `schemas/` is generated from these types (`llmdgen.spec.schema`) and from the text below each field
(`llmdgen.spec.kinds`); `llmdgen.spec.load` turns a parsed file into them. `None` means that the path chooses. They are
msgspec's, because a render has a tenth of a second: importing pydantic alone takes longer than that.
"""

from hashlib import sha256
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, json

from llmdgen.findings import Place, Route
from llmdgen.spec.fields import Base, Commit, Duration, FindingCode, Label, Registry, Size, Subdomain
from llmdgen.spec.places import Places, locate
from llmdgen.spec.servers import Cache, Engine, Role, Transfer

API_VERSION = "llmdgen.dev/v1alpha1"
KIND = "WellLitPath"
DEFAULT_RELEASE = "v0.9.0"  # the newest whose images can be pulled


class Metadata(Base, frozen=True, kw_only=True):
    name: Label
    """Names the deployment: its directory, its Helm releases, and its objects in the cluster. Example: gpt-oss-pd"""
    namespace: Label | None = None
    """Kubernetes namespace. Default: llm-d-<name>. Example: llm-d-pd"""


class Model(Base, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    """Served model name, the `model` of a chat request. Example: openai/gpt-oss-120b"""
    uri: str | None = None
    """Where the weights come from. Default: hf://<name>.
    Examples: [hf://openai/gpt-oss-120b, pvc://models/gpt-oss-120b, pvc+hf://models/hub/openai/gpt-oss-120b]"""
    revision: Commit | None = None
    """Commit of the Hugging Face repository, which vLLM and its remote code are held to. Default: the newest of the
    main branch when a pod starts. Example: b5c939de8f754692c1647ca79fbf85e8c1e70f8a"""
    size: Size | None = None
    """Model volume of each pod. Default: from the model facts. Example: 250Gi"""
    auth_secret_name: Subdomain | None = None
    """Secret whose key HF_TOKEN holds the Hugging Face token. Never the token itself. Default: none, for a model that
    needs no token. Example: llm-d-hf-token"""
    config: str | None = None
    """Path, beside the spec, of a Hugging Face config.json for a model that the facts do not know. Default: the facts.
    Example: ./config.json"""


class Images(Base, frozen=True, kw_only=True):
    registry: Registry | None = None
    """Takes the place of the registry and organisation of each image that has no reference here. Default: each image's
    own. Example: 111122223333.dkr.ecr.us-east-1.amazonaws.com/llm-d"""
    pull_secrets: tuple[Subdomain, ...] = ()
    """Secrets of the namespace with which model servers' images are pulled. Example: [ecr]"""
    model_server: str | None = None
    """A variant of the release's model server image, or a reference with a tag or digest. Default: the release's own
    choice. Examples: [llm-d-aws, registry.example.com/llm-d-aws:v0.9.0-patched]"""
    scheduler: str | None = None
    """The endpoint picker's image, with a tag or digest. Default: the release's.
    Example: registry.example.com/llm-d-router-endpoint-picker:v0.10.0"""
    sidecar: str | None = None
    """The routing sidecar's image, with a tag or digest. Default: the release's.
    Example: registry.example.com/llm-d-router-disagg-sidecar:v0.10.0"""


class LoadBalancer(Base, frozen=True, kw_only=True):
    scheme: Literal["internal", "internet-facing"] = "internal"
    """Who reaches the API.

    internal: From the VPC and what is connected to it.
    internet-facing: From anywhere. The API has no authentication of its own: limit who may connect.
    """
    target_type: Literal["ip", "instance"] = "ip"
    """What the NLB sends traffic to.

    ip: The gateway's pods.
    instance: A port of the nodes, which forward it.
    """
    class_: Literal["service.k8s.aws/nlb", "eks.amazonaws.com/nlb"] | None = None
    """Who makes the load balancer. Default: the AWS Load Balancer Controller, told by an annotation.

    service.k8s.aws/nlb: The AWS Load Balancer Controller.
    eks.amazonaws.com/nlb: EKS Auto Mode itself, which needs no controller and does not take listener attributes.
    """
    annotations: dict[str, str] = {}
    """Further annotations of the AWS Load Balancer Controller; keys and values are checked.
    Example: {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8}"""


class Gateway(Base, frozen=True, kw_only=True):
    provider: Literal["istio", "kgateway", "agentgateway"] = "istio"
    """Gateway API implementation in the cluster.

    istio: Istio with the Gateway API Inference Extension.
    kgateway: kgateway, with Envoy.
    agentgateway: agentgateway of the kgateway project.
    """
    idle_timeout: Duration = "1h"
    """How long the load balancer keeps a stream on which nothing is sent; 1m to 100m."""
    load_balancer: LoadBalancer | None = None
    """An AWS Network Load Balancer. Default: none, the gateway is a ClusterIP Service."""


class Scheduler(Base, frozen=True, kw_only=True):
    replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    """Endpoint pickers; more than one elects a leader."""
    non_cached_tokens: Annotated[int, Meta(ge=0)] | None = None
    """Prompt tokens not in a decode pod's cache from which prefill is disaggregated. 0: always. Default: 0; 16
    in pd-disaggregation up to llm-d v0.6.0. Examples: [16, 0]"""
    weights: dict[str, float] = {}
    """Weight of a scorer plugin, by its name. What is not named keeps the path's. Example: {queue-scorer: 2}"""


class Toleration(Base, frozen=True, kw_only=True):
    key: str | None = None
    """Taint key. Default: every taint, with operator Exists. Example: nvidia.com/gpu"""
    operator: Literal["Exists", "Equal"] | None = None
    """How the taint's value is compared. Default: Equal, Kubernetes' own.

    Exists: Any value; takes no `value`.
    Equal: The same value as `value`.
    """
    value: str | None = None
    """Taint value, for operator Equal. Default: empty. Example: inference"""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect that is tolerated. Default: every effect.

    NoSchedule: New pods stay away.
    PreferNoSchedule: New pods stay away where others have room.
    NoExecute: Running pods are evicted too.
    """
    toleration_seconds: int | None = None
    """Seconds until eviction, for effect NoExecute. Default: none, the pod stays. Example: 300"""


class Cluster(Base, frozen=True, kw_only=True):
    efa_per_node: Annotated[int, Meta(ge=0, le=64)] | None = None
    """EFA interfaces really attached to each node, where fewer than the instance type can have. Default: all that the
    type can have. Example: 16"""
    zone: str | None = None
    """Availability zone of every pod. Default: where pods talk over EFA, the zone of the first pod.
    Example: us-east-1a"""
    node_selector: dict[str, str] = {}
    """Further node labels that every model server selects. Example: {karpenter.sh/nodepool: gpu}"""
    tolerations: tuple[Toleration, ...] = ()
    """Further tolerations of every model server.
    Example: [{key: team, operator: Equal, value: inference, effect: NoSchedule}]"""


class Monitoring(Base, frozen=True, kw_only=True):
    labels: dict[str, str] = {}
    """Labels of the PodMonitors, by which a Prometheus selects them. Example: {release: kube-prometheus-stack}"""


class Values(Base, frozen=True, kw_only=True):
    router: dict[str, Any] = {}
    """Merged into values/router.yaml: the pool and the scheduler."""


class Suppression(Base, frozen=True, kw_only=True):
    code: FindingCode
    """The finding to silence. Example: GW004"""
    reason: Annotated[str, Meta(min_length=8)]
    """Why it does not apply here; kept in SUMMARY.md. Example: why the finding does not apply here"""


class PathSpec(Base, frozen=True, kw_only=True):
    path: str
    """The llm-d well-lit path. Example: pd-disaggregation"""
    with_: tuple[str, ...] = ()
    """Further paths composed with it. Example: [tiered-prefix-cache]"""
    release: str = DEFAULT_RELEASE
    """llm-d release: images, charts, vLLM version, plugins."""
    platform: Literal["eks", "hyperpod"] = "eks"
    """Amazon EKS or SageMaker HyperPod on EKS.

    eks: Amazon EKS: pods select nodes by their EC2 instance type.
    hyperpod: SageMaker HyperPod on EKS: ml. instance types, and healthy nodes only.
    """
    instance_types: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
    """One output directory each; EC2 names and HyperPod's ml. names. Example: [p5.48xlarge]"""
    images: Images = Images()
    """Every image of the deployment."""
    model: Model
    """What is served."""
    gateway: Gateway = Gateway()
    """How requests come in."""
    prefill: Role | None = None
    """Model servers that compute prompts. Default: what the path has; an error where it has none."""
    decode: Role = Role()
    """Model servers that generate tokens."""
    engine: Engine = Engine()
    """vLLM settings of every role."""
    transfer: Transfer = Transfer()
    """KV cache transfer between prefill and decode."""
    cache: Cache = Cache()
    """KV cache tiers below GPU memory (tiered-prefix-cache)."""
    scheduler: Scheduler = Scheduler()
    """The endpoint picker (EPP)."""
    monitoring: Monitoring = Monitoring()
    """How Prometheus finds the metrics."""
    cluster: Cluster = Cluster()
    """What the nodes really have."""
    values: Values = Values()
    """Escape hatch of the router's chart; a path that it does not read is an error."""
    suppress: tuple[Suppression, ...] = ()
    """Findings that do not apply, each with its reason.
    Example: [{code: GW004, reason: the security group admits our VPN only}]"""


class Document(Base, frozen=True, kw_only=True):
    """The whole file, as it is validated."""

    api_version: Literal["llmdgen.dev/v1alpha1"]
    """Version of this format."""
    kind: Literal["WellLitPath"]
    """Kind of this document."""
    extends: Annotated[str, Meta(min_length=1)] | None = None
    """Path, from this file, of a spec or a part of one that says what this file does not. Default: the file says
    everything itself. Example: ../bases/gpt-oss.yaml"""
    metadata: Metadata
    """Name and namespace."""
    spec: PathSpec
    """The deployment."""


class Spec(Struct, frozen=True):
    """One document of a spec file, validated, with what its bases say, that knows its lines.

    `path` is the file as it was named by the caller. `asked` is what stands under `spec`, with every default, `said`
    the whole document as plain data, without them; `places` leads from a route to the places of its key and of its
    value, in this file or in a base.
    """

    path: str
    metadata: Metadata
    asked: PathSpec
    places: Places
    said: dict[str, Any]

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace or f"llm-d-{self.metadata.name}"

    @property
    def digest(self) -> str:
        """sha256 over what it says; comments, order and layout do not count."""
        said = {"metadata": self.metadata, "spec": self.asked}
        return sha256(json.encode(said, order="sorted")).hexdigest()

    def role(self, name: str) -> Role:
        """What is asked of a role; nothing, where the spec does not name it."""
        own: Role | None = getattr(self.asked, name)
        return own or Role()

    def locate(self, route: Route, on_key: bool = False) -> Place:
        """The place of a route, or of the nearest part of it that the file or a base of it holds."""
        place = locate(self.path, self.places, route, on_key)
        if place.path == self.path:
            return place
        return Place(place.path, place.line, place.column, self.path)
