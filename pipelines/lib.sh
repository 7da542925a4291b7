# shellcheck shell=bash
# Words that the scripts of this folder share. Sourced, never run.

# An error that GitHub shows at the top of a run. A value of a workflow command escapes %, CR and LF.
fail() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  echo "::error title=llmdgen::${text//$'\n'/%0A}"
}

# An output of a step. The end mark is random, so that no value can end it and begin another.
output() {
  [[ -n ${GITHUB_OUTPUT:-} ]] || return 0
  local mark
  mark=$(random)
  printf '%s<<%s\n%s\n%s\n' "$1" "$mark" "$2" "$mark" >>"$GITHUB_OUTPUT"
}

# A file on the log, in which the runner reads no workflow commands: its text is that of a pull request.
quoted() {
  local mark
  mark=$(random)
  echo "::stop-commands::$mark"
  cat "$1"
  echo "::$mark::"
}

random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# A text file as folded Markdown in which nothing is markup.
folded() {
  printf '\n<details>\n<summary>%s</summary>\n\n<pre>\n' "$1"
  sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/@/\&#64;/g' "$2"
  printf '</pre>\n\n</details>\n'
}

# The commit of a base (a branch, a tag or a commit) that has an ancestor in common with HEAD. A shallow clone is
# completed; what cannot be had is said on stderr.
commit_of_base() {
  local each found=""
  for each in "refs/remotes/origin/$1" "$1"; do
    found=$(git rev-parse --verify --quiet --end-of-options "$each^{commit}") && break
  done
  if [[ -z $found ]]; then
    git fetch --quiet --no-tags origin "+refs/heads/$1:refs/remotes/origin/$1" >&2 || true
    found=$(git rev-parse --verify --quiet "refs/remotes/origin/$1^{commit}") || {
      echo "there is no commit called $1 here: check out with fetch-depth: 0" >&2
      return 1
    }
  fi
  if ! git merge-base "$found" HEAD >/dev/null && [[ $(git rev-parse --is-shallow-repository) == true ]]; then
    git fetch --quiet --no-tags --unshallow origin >&2 || true
  fi
  git merge-base "$found" HEAD >/dev/null || {
    echo "$1 and HEAD have no commit in common here: check out with fetch-depth: 0" >&2
    return 1
  }
  echo "$found"
}
