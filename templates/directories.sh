set -eu
for folder in "$@"; do
  mkdir -p -m 0750 "$folder"
  chown @user@:@user@ "$folder" || echo "$folder keeps its owner"
done
