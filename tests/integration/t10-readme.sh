# The README's tour, made anew and compared.
. "$(dirname "$0")/lib.sh"

mkdir -p "$T/bin"
ln -s "$REEVE" "$T/bin/reeve"
PATH=$T/bin:$PATH expect 0 python3 "$top/tests/lib/readme.py" "$top/README.md"
want_out " commands"

# A plan in the README's opening is a plan, too.
sed -n '/^    version: 1/,/^$/p' "$top/README.md" | sed 's/^    //' >opening.yaml
expect 0 reeve check opening.yaml
