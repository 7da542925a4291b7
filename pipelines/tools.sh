#!/usr/bin/env bash
# helm, helmfile and the plugin helm-diff of fixed versions, for Linux on x86-64, checked against pipelines/tools.sha256.
#
# TOOLS      where they go; helm-diff goes where helm keeps its plugins
# DOWNLOADS  where the three archives come from instead, for machines without a network
#
# For other versions: change them here, and their sums, which each release publishes beside its archives.
set -euo pipefail

helm=v3.22.0
helmfile=1.8.0
helm_diff=v3.15.10

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${TOOLS:?}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

get() {
  if [[ -n ${DOWNLOADS:-} ]]; then
    cp "$DOWNLOADS/${1##*/}" "$scratch/"
  else
    curl --fail --silent --show-error --location --retry 3 --proto '=https' --output "$scratch/${1##*/}" "$1"
  fi
}

get "https://get.helm.sh/helm-$helm-linux-amd64.tar.gz"
get "https://github.com/helmfile/helmfile/releases/download/v$helmfile/helmfile_${helmfile}_linux_amd64.tar.gz"
get "https://github.com/databus23/helm-diff/releases/download/$helm_diff/helm-diff-linux-amd64.tgz"
(cd "$scratch" && sha256sum --check --strict "${SUMS:-$here/tools.sha256}")

mkdir -p "$tools"
tar -xzf "$scratch/helm-$helm-linux-amd64.tar.gz" -C "$scratch"
install -m 0755 "$scratch/linux-amd64/helm" "$tools/helm"
tar -xzf "$scratch/helmfile_${helmfile}_linux_amd64.tar.gz" -C "$tools" helmfile
plugins=$("$tools/helm" env HELM_PLUGINS)
rm -rf "${plugins:?}/diff"
mkdir -p "$plugins"
tar -xzf "$scratch/helm-diff-linux-amd64.tgz" -C "$plugins"

[[ -z ${GITHUB_PATH:-} ]] || echo "$tools" >>"$GITHUB_PATH"
"$tools/helm" version --short
"$tools/helmfile" --version
"$tools/helm" plugin list
