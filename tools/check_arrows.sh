#!/bin/sh
# check_arrows.sh --- the rooms of src/engine include only what src/README.md allows.
set -eu
cd "$(dirname "$0")/../src/engine"
# room: rooms it may include, beside itself
allowed='core:
tensor: core
kernel: tensor core
state: kernel tensor core
graph: state kernel tensor core
format: tensor core
token: format core
wordvec: token format kernel tensor core
model: state wordvec graph kernel token format tensor core
decode: model state graph kernel token format tensor core
task: decode model wordvec token format core'
bad=0
for room in */; do
	room=${room%/}
	may=$(printf '%s\n' "$allowed" | sed -n "s/^$room://p")
	printf '%s\n' "$allowed" | grep -q "^$room:" || { echo "room $room has no line in tools/check_arrows.sh"; bad=1; }
	for other in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$room"/*.[ch] | sort -u); do
		[ "$other" = "$room" ] && continue
		case " $may " in
		*" $other "*) ;;
		*) echo "$room includes from $other:"; grep -n "^#include \"$other/" "$room"/*.[ch]; bad=1 ;;
		esac
	done
done
[ $bad -eq 0 ] && echo "arrows: as in src/README.md"
