#!/usr/bin/env bash
# What the action does: installs holdover if need be, plays a client, and ends as the lab does.
#
#   CLIENT='udhcpc -f -i {iface}' FAULTS=$'frozen\nkill -9' docs/ci/lab.sh
#
# CLIENT    a client's name (`holdover lab list`), or its command line
# FAULTS    one a line; SERVERS likewise
# LEASE, REPEAT, OUT
# TOLERATE  "under 1 s": cells that are late by no more than that do not fail; default: none
# HOLDOVER  the command, where it is installed already
#
# It plays as whoever runs it.  Who is not root needs user namespaces; where there are none and sudo
# asks for no password, it plays as root, and OUT is given back to its owner.
set -euo pipefail

: "${CLIENT:?the client is needed: a name of holdover lab list, or a command line}"
FAULTS=${FAULTS-$'server killed\nfrozen\nkill -9'}
SERVERS=${SERVERS-holdover}
TOLERATE=${TOLERATE-} LEASE=${LEASE-10} REPEAT=${REPEAT-3} OUT=${OUT-holdover-lab}
here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${HOLDOVER-}" ]; then
  place=$(mktemp -d)
  python3 -m venv "$place"
  "$place/bin/pip" install -q "$here/../.."
  HOLDOVER=$place/bin/holdover
fi

as=()
if [ "$(id -u)" != 0 ] && ! unshare --user --map-root-user --net true 2>/dev/null; then
  if sudo -n true 2>/dev/null; then
    as=(sudo -n)
  else
    echo "lab.sh: this user may make no namespaces and has no sudo: run it as root, or allow user namespaces" >&2
    exit 3
  fi
fi

words=(lab run --client "$CLIENT" --lease "$LEASE" --repeat "$REPEAT" --out "$OUT")
while read -r each; do [ -z "$each" ] || words+=(--fault "$each"); done <<<"$FAULTS"
while read -r each; do [ -z "$each" ] || words+=(--server "$each"); done <<<"$SERVERS"

status=0
said=$("${as[@]}" "$HOLDOVER" "${words[@]}") || status=$?
printf '%s\n' "$said"
[ "${#as[@]}" = 0 ] || sudo -n chown -R "$(id -u):$(id -g)" "$OUT"
if [ "$status" = 1 ] && [ -n "$TOLERATE" ]; then
  status=0
  python3 - "$OUT/lab.json" "$TOLERATE" <<'END' || status=$?
import json, sys
cells = json.load(open(sys.argv[1], encoding="utf-8"))["cells"]
late = [each for each in cells if each["outcome"] == "violated"]
if any(each["severity"] != sys.argv[2] or each["as_predicted"] is False for each in late):
    sys.exit(1)
print(f"tolerated: {len(late)} of {len(cells)} cells are late by no more than: {sys.argv[2]}")
sys.exit(3 if any(each["outcome"] == "unknown" for each in cells) else 0)
END
fi
if [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
  printf '### holdover lab: exit status %s\n\n```text\n%s\n```\n' "$status" "$said" >>"$GITHUB_STEP_SUMMARY"
fi
exit "$status"
