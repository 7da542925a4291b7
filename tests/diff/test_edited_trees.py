"""Trees that somebody edited, by hand or by program: whatever reaches the cluster and differs is said."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmdgen.diff import json, markdown, text
from llmdgen.diff.fold import difference
from llmdgen.diff.reading import Files
from llmdgen.diff.yaml import DiffError
from tests.edits import places

from .conftest import PD, edited, side, with_files, write_tree
from .test_meaning import PD9, WIDE
from .test_noise import DECODE, PARAMETERS, lines

HELMFILE = "helmfile.yaml"
CHART = "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool"
REPOSITORY = "repositories:\n  - name: gaie\n    url: registry.k8s.io/charts\n    oci: true\n"


def with_repository(old: str, new: str) -> list[str]:
    """The lines where a chart comes by an alias, and a text of the helmfile is another."""
    ((key, files),) = side(PD).items()
    aliased = REPOSITORY + files[HELMFILE].replace(CHART, "gaie/inferencepool")
    assert old in aliased
    before, after = ({key: Files({**files, HELMFILE: each}, "edited")} for each in (aliased, aliased.replace(old, new)))
    return lines(difference(before, after))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "url: registry.k8s.io/charts",
            "url: evil.test/charts",
            "~ charts repository gaie url: registry.k8s.io/charts",
        ),
        ("gaie/inferencepool", "other/inferencepool", "~ charts inferencepool from: gaie -> other"),
        ("oci: true", "oci: true\n    skipTLSVerify: true", "+ charts repository gaie skipTLSVerify: true"),
        ("oci: true", "oci: true\n    username: eve", "+ charts repository gaie username: eve"),
        ("oci: true", "oci: true\n    passCredentials: true", "+ charts repository gaie passCredentials: true"),
        ("oci: true", "oci: true\n    caFile: ca.pem", "+ charts repository gaie caFile: ca.pem"),
        ("version: v1.3.1", "version: v1.3.1\n    skipTLSVerify: true", "+ deployment helmfile.yaml router skipTLS"),
        (
            "helmDefaults:",
            "helmDefaults:\n  plainHttp: true",
            "+ deployment helmfile.yaml helmDefaults.plainHttp: true",
        ),
        (
            "helmDefaults:",
            "hooks: [{events: [prepare]}]\nhelmDefaults:",
            "+ deployment helmfile.yaml hooks[0].events: prepare",
        ),
    ],
)
def test_where_a_chart_comes_from_and_how_is_said(old: str, new: str, said: str) -> None:
    assert any(line.startswith(said) for line in with_repository(old, new))


def test_a_third_release_is_said_even_where_its_chart_has_a_known_name() -> None:
    third = (
        "\n  - name: more\n    namespace: llm-d-chat\n    chart: oci://evil.test/inferencepool\n    version: v1.3.1\n"
    )
    found = lines(edited(HELMFILE, "\n  # The Gateway", f"{third}  # The Gateway"))
    assert "+ deployment release 2: more" in found
    assert "+ charts inferencepool from (2): oci://evil.test" in found


def test_an_argument_taken_from_the_objects_is_said_though_its_file_still_shows_it() -> None:
    ((_, files),) = side(PD).items()
    assert "--block-size=128" in files["vllm/decode.args"]
    assert lines(edited(DECODE, "            - --block-size=128\n", "")) == ["- decode --block-size: 128"]


@pytest.mark.parametrize(
    "path",
    [
        "kustomization.yaml",
        "manifests/evil.yaml",
        "chart/templates/extra.yaml",
        "chart/charts/evil.tgz",
        "chart/crds/evil.yaml",
        "values/more.yaml",
        "values/.hidden/more.json",
        ".argocd-source.yaml",
        "vllm/decode.args.gotmpl",
        "deeper/helmfile.yaml",
    ],
)
def test_a_file_beside_the_known_ones_is_said(path: str, tmp_path: Path) -> None:
    from llmdgen.diff.sources import directory_side

    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: evil}\n"
    before, after = (write_tree(tmp_path / name, PD) for name in ("old", "new"))
    file = after / "chat/p5.48xlarge" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(role)
    (line,) = lines(difference(directory_side(str(before)), directory_side(str(after))))
    assert path in line or "ClusterRoleBinding evil" in line


def test_a_file_whose_name_is_no_text_is_said_in_every_format(tmp_path: Path) -> None:
    from llmdgen.diff.sources import directory_side

    before, after = (write_tree(tmp_path / name, PD) for name in ("old", "new"))
    (after / "chat/p5.48xlarge" / os.fsdecode(b"\xff`|\n.yaml")).write_text("a: 1\n")
    found = difference(directory_side(str(before)), directory_side(str(after)))
    for writer in (text, markdown, json):
        assert ".yaml" in writer.write(found).encode().decode()


def test_what_a_spec_gives_has_no_manifests_and_every_other_file() -> None:
    ((key, files),) = side(PD).items()
    tree = {key: Files({**files, "manifests/decode.yaml": "a: 1\n"}, "tree")}
    rendered = {key: Files(files, "spec", is_in_memory=True)}
    assert difference(tree, rendered).is_empty
    assert lines(difference({key: Files({**files, "kustomization.yaml": "a: 1\n"}, "tree")}, rendered)) == [
        "- file kustomization.yaml: a: 1"
    ]


def test_the_same_object_twice_is_said() -> None:
    ((_, files),) = side(PD).items()
    path = "chart/templates/service-account.yaml"
    assert lines(with_files({path: f"{files[path]}---\n{files[path]}"})) == [
        "+ deployment ServiceAccount chat (2): automountServiceAccountToken: false"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "9" * 5000,
        "a: 2026-99-99",
        "&a [*a]",
        "[" * 5000,
        "a: &a [x, x]\nb: &b [*a, *a]\n"
        + "".join(f"k{at}: &k{at} [{','.join([f'*k{at - 1}' if at else '*b'] * 9)}]\n" for at in range(9)),
    ],
    ids=["digits", "date", "itself", "deep", "bomb"],
)
def test_texts_of_a_config_map_that_mean_harm_are_texts(text: str) -> None:
    ((_, files),) = side(PD).items()
    doc = yaml.safe_load(files[PARAMETERS])
    doc["data"]["deployment"] = text
    found = with_files({PARAMETERS: yaml.safe_dump(doc)})
    assert any(line.startswith("+ gateway parameters data.deployment") for line in lines(found))


# --- edits by program

WRONG: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", "x", [], ["x"], [[]], {}, {"a": {"b": []}}, [{"a": 1}], [None]]


def wrecked(rng: random.Random, docs: list[Any]) -> list[Any]:
    """Documents with one thing changed in type, gone, twice, renamed or of another value."""
    docs = copy.deepcopy(docs)
    tree, key = rng.choice(places(docs))
    value = tree[key]
    edit = rng.choice(("wrong", "gone", "twice", "renamed", "another"))
    if edit == "wrong":
        tree[key] = rng.choice(WRONG)
    elif edit == "gone":
        del tree[key]
    elif edit == "twice" and isinstance(tree, list):
        tree.insert(key, copy.deepcopy(value))
    elif edit in ("twice", "renamed") and isinstance(tree, dict):
        tree[rng.choice(["other", "name", 7])] = value if edit == "twice" else tree.pop(key)
    elif isinstance(value, str):
        tree[key] = value + rng.choice(["x", ": ", "\n"])
    elif isinstance(value, int | float):
        tree[key] = value + 1
    else:
        tree[key] = str(value)
    return docs


def means_the_same(old: Any, new: Any) -> bool:
    """What Kubernetes and helmfile take for the same: no value, or the namespace that a release has anyway."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {str(key): plain(item) for key, item in value.items()}
            return {key: item for key, item in kept.items() if item not in (None, "llm-d-chat", "{}", "[]", {}, [])}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return dumps(plain(old), sort_keys=True) == dumps(plain(new), sort_keys=True)


@pytest.mark.parametrize("seed", range(4))
def test_a_tree_wrecked_by_program_is_compared_or_refused_and_never_stumbled_over(seed: int) -> None:
    rng = random.Random(seed)
    writers: list[Callable[..., str]] = [text.write, markdown.write, json.write]
    for _ in range(50):
        ((key, files),) = side(rng.choice([PD, PD9, WIDE])).items()
        path = rng.choice([path for path in files if path.endswith(".yaml")])
        old = list(yaml.safe_load_all(files[path]))
        new = wrecked(rng, old)
        before = {key: Files(files, "before")}
        after = {key: Files({**files, path: yaml.safe_dump_all(new, sort_keys=False)}, "after")}
        for sides in ((before, after), (after, before)):
            try:
                found = difference(*sides)
            except DiffError as error:
                assert str(error).startswith("after/")  # noqa: PT017
                continue
            assert all(write(found) for write in writers)
            is_noise = path in ("allocation.yaml", HELMFILE) or means_the_same(old, new)
            assert not found.is_empty or is_noise, (path, old, new)


# --- tokens

TOKEN, OTHER = "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4", "hf_" + "zY7xW4vU1tS8rQ5pN2mK9jH6"


def with_tokens(token: str) -> dict[str, str]:
    """Files of a tree in which somebody wrote a token into every place that reaches the cluster, or a message."""
    ((_, files),) = side(PD).items()
    decode = files[DECODE].replace("- --block-size=128", f"- --api-key={token}\n            - --block-size=128")
    env = (
        f"env:\n            - name: DB_PASSWORD\n              value: {token[3:15]}\n"
        f"            - name: PLAIN\n              value: {token}\n"
    )
    return {
        DECODE: decode.replace("env:\n", env, 1),
        HELMFILE: f"repositories:\n  - name: r\n    url: https://u:{token[3:]}@charts.test\n    password: {token[3:]}\n"
        + files[HELMFILE],
        "values/router.yaml": files["values/router.yaml"] + f"more:\n  token: {token}\n",
        "chart/templates/service-account.yaml": files["chart/templates/service-account.yaml"].replace(
            "name: chat", f"name: chat\n  annotations: {{a: {token}}}", 1
        ),
        "kustomization.yaml": f"# {token}\nsecretGenerator: [{{literals: [PASSWORD={token[3:]}]}}]\n",
        f"chart/{token}.txt": "x",
    }


def test_a_token_in_a_tree_is_never_shown_and_another_one_is_a_change() -> None:
    ((key, files),) = side(PD).items()
    plain, first, second = (
        {key: Files({**files, **more}, "tree")} for more in ({}, with_tokens(TOKEN), with_tokens(OTHER))
    )
    for sides in ((plain, first), (first, plain), (first, second), ({}, first)):
        found = difference(*sides)
        assert not found.is_empty
        for writer in (text, markdown, json):
            written = writer.write(found)
            assert not any(secret[3:15] in written for secret in (TOKEN, OTHER))


def test_a_token_in_an_error_is_not_shown(tmp_path: Path) -> None:
    for broken in (f"a: {TOKEN}\na: {TOKEN}\n{TOKEN}: {TOKEN}: x\n", f"{TOKEN}: 1\n{TOKEN}: 2\n", f"!{TOKEN} x"):
        with pytest.raises(DiffError) as caught:
            with_files({DECODE: broken})
        assert TOKEN[3:15] not in str(caught.value)


def test_where_a_secret_comes_from_is_shown() -> None:
    assert lines(edited(DECODE, "name: llm-d-hf-token", "name: other-token")) == [
        "~ decode env HF_TOKEN: from secretKeyRef llm-d-hf-token HF_TOKEN -> from secretKeyRef other-token HF_TOKEN"
    ]


def test_a_name_with_backticks_begins_and_ends_no_command() -> None:
    found = edited(DECODE, "name: llm-d-hf-token", "name: 'a`, then `rm -rf /'")
    for writer in (text, markdown):
        (note,) = [line for line in writer.write(found).splitlines() if "the Secret" in line]
        assert "`" not in note
