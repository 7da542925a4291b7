"""Import vLLM's own argument parser from a wheel, on a machine that has neither torch nor a GPU.

Building the parser needs vLLM's configuration classes alone, but importing them imports torch, transformers and many
more. Whatever is not installed is replaced by placeholders: modules whose every attribute is an empty class. vLLM's
documentation is built in the same way. Needs pydantic, msgspec, packaging and PyYAML, which are really used.

vLLM asks its platform for defaults; it is told of a CUDA device, so that the answer does not depend on the machine.
"""

from __future__ import annotations

import abc
import argparse
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import re
import sys
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Parts of vLLM that are not importable without torch: what is compiled, and the registry of its operators, which asks
# torch for what it has just given it.
COMPILED = ("vllm._C", "vllm._moe_C", "vllm._rocm_C", "vllm.ir.")
# vLLM tries these and goes another way where they are missing; a placeholder would send it down the wrong one.
TRULY_ABSENT = ("triton", "ray", "pynvml", "amdsmi", "libtpu", "tpu_info", "modelscope", "vllm_ascend", "tensorizer")
# Where the parser was until 0.29, until 0.32 and since.
PARSER_MODULES = tuple(f"vllm.entrypoints.{folder}.cli_args" for folder in ("openai", "launchers", "common"))
# What the placeholders say they are: new enough for every vLLM here, the old ones do not ask.
VERSIONS = {"torch": "2.11.0", "transformers": "5.6.0"}


class Placeholder(abc.ABCMeta):
    """The type of everything that a missing module offers: it can be subclassed, called, compared and indexed."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return placeholder(f"{cls.__qualname__}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__module__ != __name__:
            return super().__call__(*args, **kwargs)
        decorated = len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type))
        return args[0] if decorated else placeholder(f"{cls.__qualname__}()")

    def __getitem__(cls, key: Any) -> Any:
        return cls

    def __or__(cls, other: Any) -> Any:
        return typing.Union[cls, other]  # noqa: UP007 - the operator is what is being defined

    __ror__ = __or__

    def __iter__(cls) -> Iterator[Any]:
        return iter(())

    def __len__(cls) -> int:
        return 0

    def __bool__(cls) -> bool:
        return False

    def __index__(cls) -> int:
        return 0

    def __float__(cls) -> float:
        return 0.0

    def __lt__(cls, other: Any) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__

    def __add__(cls, other: Any) -> Any:
        return cls

    __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __and__ = __add__
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rpow__ = __add__

    def __neg__(cls) -> Any:
        return cls

    def __enter__(cls) -> Any:
        return cls

    def __exit__(cls, *exc: object) -> bool:
        return False


def placeholder(name: str) -> Any:
    """An empty class of that name, which pydantic takes for Any."""
    from pydantic_core import core_schema

    body = {
        "__module__": __name__,
        "__qualname__": name,
        "__get_pydantic_core_schema__": classmethod(lambda cls, source, handler: core_schema.any_schema()),
    }
    return Placeholder(name.rpartition(".")[2].rstrip("()") or "placeholder", (), body)


class PlaceholderModule(types.ModuleType):
    """A missing module: every attribute is a placeholder, every submodule such a module."""

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return VERSIONS.get(self.__name__, "0.0.0")
        if name.startswith("__"):
            raise AttributeError(name)
        if (self.__name__, name) == ("torch.library", "infer_schema"):
            return lambda *args, **kwargs: "() -> ()"
        value = placeholder(f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


class MissingModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last finder: gives a placeholder for what no other finder found. `compiled_only` is the first finder,
    which gives one for vLLM's compiled parts even where the wheel holds them."""

    def __init__(self, compiled_only: bool) -> None:
        self.compiled_only = compiled_only

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        top = name.partition(".")[0]
        if self.compiled_only:
            wanted = name.startswith(COMPILED)
        elif top in sys.stdlib_module_names or top in (*TRULY_ABSENT, "vllm") or top.startswith("_"):
            wanted = False
        else:
            # A submodule is made up only where its package is: a real package really lacks it.
            wanted = top == name or isinstance(sys.modules.get(top), PlaceholderModule)
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if wanted else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return PlaceholderModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []


def open_wheel(wheel: Path) -> None:
    """Make `import vllm` import that wheel, or a folder it was unpacked into. Affects the whole process."""
    if "vllm" in sys.modules:
        raise RuntimeError("vllm is imported already")
    os.environ.update(VLLM_LOGGING_LEVEL="ERROR", VLLM_NO_USAGE_STATS="1", VLLM_TARGET_DEVICE="cpu")
    if importlib.util.find_spec("regex") is None:
        sys.modules["regex"] = re  # vLLM's parser uses no pattern that the two read differently
    sys.path.insert(0, str(wheel))
    sys.meta_path.insert(0, MissingModules(compiled_only=True))
    sys.meta_path.append(MissingModules(compiled_only=False))
    installed_version = importlib.metadata.version
    importlib.metadata.version = lambda name: VERSIONS.get(name) or installed_version(name)
    _pretend_cuda()


def _pretend_cuda() -> None:
    import vllm.platforms
    from vllm.platforms.interface import DeviceCapability, Platform, PlatformEnum

    class PretendedCuda(Platform):
        _enum = PlatformEnum.CUDA
        device_name = device_type = "cuda"
        dispatch_key = "CUDA"
        ray_device_key = "GPU"
        dist_backend = "nccl"
        device_control_env_var = "CUDA_VISIBLE_DEVICES"

        @classmethod
        def get_device_capability(cls, device_id: int = 0) -> Any:
            return DeviceCapability(9, 0)

        @classmethod
        def get_device_name(cls, device_id: int = 0) -> str:
            return "NVIDIA H200"

        @classmethod
        def get_device_total_memory(cls, device_id: int = 0) -> int:
            return 141 * 10**9

        @classmethod
        def pre_register_and_update(cls, parser: argparse.ArgumentParser | None = None) -> None:
            """Nothing of the platform's own."""

        @classmethod
        def import_kernels(cls) -> None:
            """There are none."""

    vllm.platforms._current_platform = PretendedCuda()


def serve_parser(with_help: bool = False) -> argparse.ArgumentParser:
    """vLLM's parser of `vllm serve`, after `open_wheel`. Help texts cost time and are left out unless asked for."""
    sys.argv = ["vllm", "bench", "--help"] if with_help else ["vllm", "serve"]
    cli_args = parser_module()
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser: argparse.ArgumentParser = cli_args.make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    return parser


def parser_module() -> Any:
    """The module of `make_arg_parser` and of FrontendArgs, after `open_wheel`."""
    for name in PARSER_MODULES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
    raise ImportError("this vLLM has its argument parser in a place that is not known here")
