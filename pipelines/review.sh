#!/usr/bin/env bash
# What a pull request needs to know: are the specs right, is the rendered tree what they give, does helm make of it what
# a cluster can use, what changes in meaning.
#
# Run at the repository's root. All of it is run whatever the others say. Exits 1 or 64 on an error, else 2 where the
# rendered tree differs, else 0; a change in meaning alone is no failure.
#
# SPECS          files or globs, one a line                 RENDERED   the rendered directory
# BASE           what to compare with; empty: no diff       DIRECTORY  what the paths above are relative to
# STRICT, MANIFESTS, PREREQUISITES  'true' or 'false'       CHARTS     the directory of --charts, or empty
# PRUNE          'false': RENDERED holds what other specs gave too
# VERIFY         'true': helmfile and helm are here, and run on the deployments that differ from BASE; without one on all
# CRDS           a directory of CustomResourceDefinitions to verify with, or empty
# LLMDGEN        the program                                REPORTS    where diff.md, report.md and llmdgen.sarif go
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=pipelines/lib.sh
source "$here/lib.sh"

llmdgen=${LLMDGEN:-llmdgen}
reports=${REPORTS:-${RUNNER_TEMP:-/tmp}/llmdgen/reports}
base=${BASE:-}
prefix=${DIRECTORY:-.}/
while [[ $prefix == *//* ]]; do prefix=${prefix//\/\//\/}; done
while [[ $prefix == ./* ]]; do prefix=${prefix#./}; done
rendered=$prefix${RENDERED:-rendered}
mkdir -p "$reports"
rm -f "$reports"/{llmdgen.sarif,findings.txt,check.txt,verify.txt,diff.md,diff.txt,report.md}

# A pattern is expanded without being split, so that a name may hold spaces.
specs=()
while IFS= read -r pattern; do
  [[ -n ${pattern//[[:space:]]/} ]] || continue
  IFS='' ; shopt -s nullglob globstar
  # shellcheck disable=SC2206 # the expansion is what a glob is for
  matches=($prefix$pattern)
  shopt -u nullglob globstar ; IFS=$' \t\n'
  [[ ${#matches[@]} -gt 0 ]] || { fail "no spec is called $prefix$pattern"; output exit-code 1; exit 1; }
  specs+=("${matches[@]}")
done <<<"${SPECS:-paths/*.yaml}"
[[ ${#specs[@]} -gt 0 ]] || { fail "the input specs names no file"; output exit-code 1; exit 1; }

render=(render -o "$rendered")
[[ ${MANIFESTS:-false} == true ]] && render+=(--manifests)
[[ ${PREREQUISITES:-false} == true ]] && render+=(--prerequisites)
[[ ${PRUNE:-true} == true ]] && render+=(--prune)
[[ -n ${CHARTS:-} ]] && render+=(--charts "$prefix$CHARTS")
strict=()
[[ ${STRICT:-false} == true ]] && strict=(--strict)

echo "::group::llmdgen validate"
validated=0
"$llmdgen" validate ${strict[@]+"${strict[@]}"} --format github --report "sarif=$reports/llmdgen.sarif" \
  --report "text=$reports/findings.txt" -- "${specs[@]}" || validated=$?
echo "::endgroup::"

echo "::group::llmdgen render --check"
checked=0
"$llmdgen" "${render[@]}" --check -- "${specs[@]}" >"$reports/check.txt" 2>&1 || checked=$?
quoted "$reports/check.txt"
echo "::endgroup::"

compared="" from=""
if [[ -n $base ]]; then
  echo "::group::llmdgen diff"
  compared=0
  if from=$(commit_of_base "$base" 2>"$reports/diff.txt"); then
    "$llmdgen" diff --format markdown "$from...HEAD" -- "$rendered" >"$reports/diff.md" 2>"$reports/diff.txt" || compared=$?
  else
    compared=1
  fi
  cat "$reports/diff.txt" >"$reports/said.txt"
  [[ ! -f $reports/diff.md ]] || cat "$reports/diff.md" >>"$reports/said.txt"
  quoted "$reports/said.txt"
  rm "$reports/said.txt"
  echo "::endgroup::"
fi

# `verify` executes nothing of what it is given; that much is not true of `helmfile apply`.
verified=""
directories=()
if [[ ${VERIFY:-false} == true ]]; then
  for each in "$rendered"/*/; do
    compgen -G "$each*/helmfile.yaml" >/dev/null || continue
    [[ -n $from ]] && git diff --quiet "$from...HEAD" -- "$each" || directories+=("$each")
  done
fi
if [[ ${#directories[@]} -gt 0 ]]; then
  verify=(verify)
  [[ -n ${CHARTS:-} ]] && verify+=(--charts "$prefix$CHARTS")
  [[ -n ${CRDS:-} ]] && verify+=(--crds "$prefix$CRDS")
  echo "::group::llmdgen verify"
  verified=0
  "$llmdgen" "${verify[@]}" -- "${directories[@]}" >"$reports/verify.txt" 2>&1 || verified=$?
  quoted "$reports/verify.txt"
  echo "::endgroup::"
fi

code=0
[[ $checked == 2 ]] && code=2
for each in "$validated" "$checked" "${compared:-0}" "${verified:-0}"; do
  [[ $each == 0 || $each == 2 ]] || code=$each
done

write_report() {
  echo "### llmdgen"
  echo
  case $validated in
    0) echo "- ✅ the specs are right" ;;
    *) echo "- ❌ \`llmdgen validate\` finds errors (exit $validated)" ;;
  esac
  case $checked in
    0) echo "- ✅ the rendered tree is what the specs give" ;;
    2) echo "- ❌ the rendered tree is not what the specs give (exit 2): run \`llmdgen render\` and commit what it writes" ;;
    *) echo "- ❌ the rendered tree could not be compared with the specs (exit $checked)" ;;
  esac
  case $verified in
    "") ;;
    0) echo "- ✅ helm makes of it what a cluster can use" ;;
    *) echo "- ❌ \`llmdgen verify\` finds errors (exit $verified)" ;;
  esac
  case $compared in
    "") ;;
    0) echo "- ✅ nothing changes in meaning" ;;
    2) echo "- 🔍 something changes in meaning, see below" ;;
    *) echo "- ❌ \`llmdgen diff\` failed (exit $compared)" ;;
  esac
  [[ $validated == 0 ]] || folded "Findings" "$reports/findings.txt"
  [[ ${verified:-0} == 0 ]] || folded "What \`llmdgen verify\` says" "$reports/verify.txt"
  [[ ${compared:-0} == 0 || $compared == 2 ]] || folded "What \`llmdgen diff\` says" "$reports/diff.txt"
  if [[ $compared == 2 ]]; then
    echo
    cat "$reports/diff.md"
  fi
  # Last, because it may be long, and a comment is cut at its end.
  [[ $checked == 0 ]] || folded "What \`llmdgen render --check\` says" "$reports/check.txt"
}
write_report >"$reports/report.md"
# A summary over 1 MiB is refused as a whole.
[[ -z ${GITHUB_STEP_SUMMARY:-} ]] || "$here/cut.py" 1000000 <"$reports/report.md" >>"$GITHUB_STEP_SUMMARY"

output sarif-file "$reports/llmdgen.sarif"
output report-file "$reports/report.md"
output validate-exit-code "$validated"
output check-exit-code "$checked"
output diff-exit-code "$compared"
output verify-exit-code "$verified"
output exit-code "$code"
output changed "$(case $compared in 0) echo false ;; 2) echo true ;; esac)"
[[ $compared != 0 && $compared != 2 ]] || output diff-file "$reports/diff.md"

case $code in
  0) ;;
  2) fail "$rendered is not what the specs give: run 'llmdgen render' and commit what it writes (exit 2)" ;;
  *)
    said="validate exited $validated, render --check $checked, verify ${verified:-not run}, diff ${compared:-not run}"
    fail "$said: see the log (exit $code)"
    ;;
esac
exit "$code"
