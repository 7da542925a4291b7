#!/usr/bin/env bash
# `helmfile diff` or `helmfile apply` of one rendered directory, as it is at the tip of the main branch and no other.
#
# Usage: deploy.sh diff|apply
#
# CHECKOUT  the commit of the run            TIP       the tip of the main branch, checked out beside it
# BRANCH    the name of the main branch      RENDERED  the rendered directory, below both
# TARGET    <name>/<instance type>           CLUSTER, AWS_REGION  of the EKS cluster; empty: kubectl's current context
# GITHUB_EVENT_NAME, GITHUB_REF              as the runner sets them
#
# Refuses with 64 what is no run of the main branch, and with 1 a directory that main has changed since: an approval that
# came late must not put back what was replaced in the meantime.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=pipelines/lib.sh
source "$here/lib.sh"

refuse() { fail "not deployed: $2"; exit "$1"; }

[[ ${1:-} == diff || ${1:-} == apply ]] || refuse 64 "say diff or apply"
case ${GITHUB_EVENT_NAME:-} in
  push | workflow_dispatch | schedule) ;;
  *) refuse 64 "the event ${GITHUB_EVENT_NAME:-(none)} deploys nothing, only push, workflow_dispatch and schedule do" ;;
esac
[[ ${GITHUB_REF:-} == "refs/heads/${BRANCH:?}" ]] || refuse 64 "${GITHUB_REF:-no ref} is not the branch $BRANCH"
[[ ${TARGET:?} =~ ^[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9._-]*$ ]] || refuse 64 "TARGET is not <name>/<instance type>"

directory=${CHECKOUT:?}/${RENDERED:-rendered}/$TARGET
[[ -f $directory/helmfile.yaml ]] || refuse 1 "there is no ${RENDERED:-rendered}/$TARGET/helmfile.yaml"
tip=${TIP:?}/${RENDERED:-rendered}/$TARGET
same() { diff --no-dereference -rq "$1" "$2" || refuse 1 "$BRANCH has another $3 by now: run the newest"; }
same "$directory" "$tip" "$TARGET"
while IFS= read -r chart; do # those of `render --charts`; what is in the directory was just compared
  same "$directory/$chart" "$tip/$chart" "$chart"
done < <(sed -nE "s/^ *chart: *[\"']?(\.\.\/[^\"']*[^\"' ])[\"' ]*$/\1/p" "$directory/helmfile.yaml")

if [[ -n ${CLUSTER:-} ]]; then
  aws eks update-kubeconfig --name "$CLUSTER" --region "${AWS_REGION:?}" >/dev/null
fi

said=$(mktemp)
trap 'rm -f "$said"' EXIT
cd "$directory"
code=0
if [[ $1 == diff ]]; then
  helmfile --no-color diff --suppress-secrets --detailed-exitcode >"$said" 2>&1 || code=$?
else
  helmfile --no-color apply --suppress-secrets >"$said" 2>&1 || code=$?
fi
quoted "$said"
{
  case $1-$code in
    diff-0) echo "### helmfile diff of \`$TARGET\`: nothing changes" ;;
    diff-2) echo "### helmfile diff of \`$TARGET\`: changes" ;;
    apply-0) echo "### helmfile apply of \`$TARGET\`: done" ;;
    *) echo "### helmfile $1 of \`$TARGET\`: failed (exit $code)" ;;
  esac
  folded "What helmfile says" "$said"
} | "$here/cut.py" 1000000 >>"${GITHUB_STEP_SUMMARY:-/dev/null}"

if [[ $1 == diff && $code == 2 ]]; then
  output changed true
  exit 0
fi
output changed false
[[ $code == 0 ]] || fail "helmfile $1 of $TARGET failed (exit $code)"
exit "$code"
