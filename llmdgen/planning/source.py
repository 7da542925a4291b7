"""Where a model's weights and the deployment's images come from, and what `vllm serve` is told of the model."""

from __future__ import annotations

from typing import Any

from llmdgen.composition.contribution import EnvVar, Volume, variables
from llmdgen.facts.types import ModelFacts, ModelServer, Release
from llmdgen.planning.model import Images
from llmdgen.quantities import GIB
from llmdgen.spec.model import Images as Asked
from llmdgen.spec.model import Model

MOUNT_PATH = "/model-cache"
VOLUME_OVER_WEIGHTS = 1.25  # room for tokenizer files and a half-written download
ROUND_GIB = 10


def uri(model: Model) -> str:
    """The model's uri; the Hugging Face repository of its name where the spec gives none."""
    return model.uri or f"hf://{model.name}"


def argument(model: Model) -> str:
    """The model argument of `vllm serve`: a repository, or a path on the mounted claim."""
    protocol, _, rest = uri(model).partition("://")
    if protocol == "pvc":
        return f"{MOUNT_PATH}/{rest.partition('/')[2]}"
    if protocol == "pvc+hf":
        return "/".join(rest.split("/")[-2:])
    return rest


def weights(model: Model, facts: ModelFacts | None) -> Volume:
    """The volume that holds the weights: the spec's claim, or a directory of the node that each pod fills itself."""
    protocol, _, rest = uri(model).partition("://")
    if protocol.startswith("pvc"):
        source: dict[str, Any] = {"persistentVolumeClaim": {"claimName": rest.partition("/")[0], "readOnly": True}}
    else:
        size = volume_size(model, facts)
        source = {"emptyDir": {"sizeLimit": size} if size else {}}
    return Volume(name="model-storage", mount_path=MOUNT_PATH, source=source, read_only=protocol == "pvc")


def hub_environment(model: Model) -> tuple[EnvVar, ...]:
    """Where the Hugging Face hub's client finds and keeps weights, and with which token it asks for them."""
    protocol, _, rest = uri(model).partition("://")
    found = variables({"HF_HOME": MOUNT_PATH}) if protocol == "hf" else ()
    if protocol == "pvc+hf":
        # Asked for a newer revision, the client would want to write to the claim, which is mounted read-only.
        cache = "/".join([MOUNT_PATH, *rest.split("/")[1:-2]])
        found = variables({"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": cache})
    secret = model.auth_secret_name
    return (*found, EnvVar(name="HF_TOKEN", secret=secret)) if secret else found


def volume_size(model: Model, facts: ModelFacts | None) -> str | None:
    """The size of each pod's model volume; None for a claim, which has its own, and where nobody knows."""
    if uri(model).startswith("pvc"):
        return None
    if model.size or facts is None:
        return model.size
    needed = (facts.repository_bytes or facts.weight_bytes) * VOLUME_OVER_WEIGHTS
    return f"{-(-int(needed / GIB) // ROUND_GIB) * ROUND_GIB}Gi"


def images(asked: Asked, release: Release) -> Images:
    """References of all images. `asked.registry` holds for those that the spec gives no reference of."""
    tokenizer = release.images.get("tokenizer")
    own = asked.model_server if asked.model_server not in release.model_servers else None
    return Images(
        model_server=own or mirrored(model_server(asked, release).image, asked.registry),
        scheduler=asked.scheduler or mirrored(release.images["scheduler"], asked.registry),
        sidecar=asked.sidecar or mirrored(release.images["routing_sidecar"], asked.registry),
        tokenizer=mirrored(tokenizer, asked.registry) if tokenizer else None,
        pull_secrets=asked.pull_secrets,
    )


def model_server(asked: Asked, release: Release) -> ModelServer:
    """What is in the model server's image: the variant that the spec names, or of which its own reference is a copy by
    its name; else the release's choice."""
    if asked.model_server in release.model_servers:
        return release.model_servers[asked.model_server]
    name = repository(asked.model_server or "").rpartition("/")[2]
    for variant in release.model_servers.values():
        if name and repository(variant.image).rpartition("/")[2] == name:
            return variant
    return release.model_server()


def mirrored(image: str, registry: str | None) -> str:
    """An image of the same name, tag and digest in another registry."""
    return image if registry is None else f"{registry}/{image.rpartition('/')[2]}"


def repository(image: str) -> str:
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def split(image: str) -> tuple[str, str, str]:
    """Registry with organisation, name, and tag as Helm charts want them: a digest stands behind the tag."""
    registry, _, last = image.partition("@")[0].rpartition("/")
    name, _, tag = last.partition(":")
    digest = image.partition("@")[2]
    return registry, name, f"{tag}@{digest}" if digest else tag


def namespace_command(namespace: str) -> str:
    """The command that makes the namespace of a deployment."""
    return f"kubectl create namespace {namespace}"


def token_command(namespace: str, secret: str) -> str:
    """The command that makes the Secret with the Hugging Face token: no argument of a process holds the token, and no
    line end becomes a part of it."""
    make = f"kubectl -n {namespace} create secret generic {secret} --from-file=HF_TOKEN=/dev/stdin"
    return f'printf %s "$HF_TOKEN" | {make}'
