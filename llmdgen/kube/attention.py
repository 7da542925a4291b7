"""Which attention backend vLLM runs in a pod: the one it is told, else the one it chooses by GPU and model."""

from __future__ import annotations

from typing import Any

from llmdgen.facts.catalogue import gpu_fact, release_toml
from llmdgen.facts.types import Instance, ModelFacts
from llmdgen.kube.node import node_of
from llmdgen.kube.workload import Container

FLAG, VARIABLE = "attention-backend", "VLLM_ATTENTION_BACKEND"


def capability(node: Instance) -> str | None:
    """The CUDA compute capability of a node's GPUs, such as 9.0; None where no table has it."""
    found: str | None = gpu_fact("capability", node.gpu.model)
    return found


def kind(model: ModelFacts, cache_dtype: str, backends: dict[str, Any]) -> str:
    """The row of the release's [attention] table that a model is in."""
    if is_sparse(model) and "sparse_mla" in backends:
        return "sparse_mla"
    base = "mla" if model.mla is not None else "sinks" if model.architecture.startswith("GptOss") else "gqa"
    fp8 = f"{base}_fp8_kv"
    return fp8 if fp8 in backends and cache_dtype.startswith("fp8") else base


def is_sparse(model: ModelFacts) -> bool:
    """Whether the model's attention reads chosen tokens alone, as GLM-5's does, which few backends can."""
    return model.mla is not None and model.mla.indexer_bytes > 0


def chosen(vllm: Container) -> str | None:
    """The backend that the container names, by flag or, before vLLM dropped it, by variable."""
    named = vllm.flags.get(FLAG) or vllm.sets(VARIABLE)
    return str(named).upper() if named else None


def backend(vllm: Container, model: ModelFacts | None) -> str | None:
    """The attention backend of a pod on the node that it selects; None where it cannot be said."""
    named = chosen(vllm)
    if named is not None:
        return named
    backends, node = release_toml(vllm.release, "engine.toml")["attention"], node_of(vllm.workload)
    number = capability(node) if node is not None else None
    if model is None or number is None:
        return None
    found: str | None = backends[kind(model, cache_dtype(vllm), backends)].get(number.partition(".")[0])
    return found


def cache_dtype(vllm: Container) -> str:
    """The type of its KV cache."""
    return str(vllm.flags.get("kv-cache-dtype", "auto"))


def everywhere(cache_dtype: str, model: ModelFacts | None, release: str) -> str | None:
    """The backend that GPUs of every generation can run the model with, None where there is none."""
    backends = release_toml(release, "engine.toml")["attention"]
    name: str | None = backends["everywhere"].get(kind(model, cache_dtype, backends) if model is not None else "gqa")
    return name
