set -euo pipefail

# A crashed vLLM leaves its segments behind, and a restarted container would run out of shared memory.
find /dev/shm -type f -delete

# The image carries NCCL's EFA plugin outside its library path.
for directory in @libraries@; do
  if [ -d "$directory" ]; then
    export LD_LIBRARY_PATH="$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  fi
done

# Pods of a node share its disk: each takes a slot that no other holds, and empties what was left in it.
for slot in @slots@; do
  mkdir -p "@disk@/$slot"
  exec 9>"@disk@/$slot.lock"
  if flock --nonblock 9; then held=$slot; break; fi
done
[ -n "${held:-}" ] || { echo "no slot is free in @disk@" >&2; exit 1; }
find "@disk@/$held" -mindepth 1 -delete
ln -sfn "@disk@/$held" @taken@

# vLLM evicts no file of a tier: what was written first goes, so that bytes ($1) stay in a directory ($2).
keep_to() {
  while sleep "$3"; do
    find "$2" -type f -printf '%T@ %s %p\n' | sort -rn | while read -r _ size file; do
      total=$((${total:-0} + size))
      [ "$total" -le "$1" ] || rm -f "$file"
    done || true
  done
}
@keepers@

# Each pod of the group serves its own ranks.
start_rank=$((LWS_WORKER_INDEX * @ranks@))

@serve@
