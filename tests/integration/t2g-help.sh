# Help, manual and completion say what the program does: they come from the tables it parses by.
. "$(dirname "$0")/lib.sh"

expect 0 reeve help
for verb in $("$REEVE" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
	verbs="${verbs:-} $verb"
done
[ "$(echo $verbs | wc -w)" -gt 30 ] || fail "help lists only: $verbs"
expect 2 reeve help no-such-verb
want_err "there is no command"
expect 2 reeve help run check
want_err "at most 1 word"
expect 4 reeve help --man no-such-page
want_err "reeve-plan"

# ---- the keys of a plan ----

expect 0 reeve help plan
python3 - "$T/out" "$top/docs/plan.schema.json" <<'PY' || fail "the keys of help are not those of the schema"
import json, re, sys
shown = set(re.findall(r"^  ([a-z_]+) ", open(sys.argv[1]).read(), re.M))
schema = json.load(open(sys.argv[2]))
known = set(schema["properties"])
for d in schema["$defs"].values():
    known |= set(d["properties"])
if shown != known:
    sys.exit(f"{shown ^ known}")
PY

# Of a key that is carried out with some of its values: with which it is not.
grep -A1 '^  profile ' "$T/out" | grep -q 'not carried out yet: gemini, opencode, qwen$' || fail "profile"
grep -A1 '^  mode ' "$T/out" | grep -q 'not carried out yet: git, copy$' || fail "mode"
grep -A1 '^  enforce ' "$T/out" | grep -q 'not carried out yet: landlock, scan$' || fail "enforce"
grep -A1 '^  home ' "$T/out" | grep -q 'not carried out yet: private$' || fail "home"
grep -A1 '^  secrets ' "$T/out" | grep -q 'not carried out yet$' || fail "secrets"

# ---- the manual ----

expect 0 reeve help --man
cp "$T/out" "$T/reeve.1"
expect 0 reeve help --man reeve-plan
cp "$T/out" "$T/reeve-plan.5"
for verb in $verbs; do
	grep -qx "\.Cm $verb" "$T/reeve.1" || fail "reeve(1) does not have $verb"
done
if command -v mandoc >/dev/null; then
	for page in reeve.1 reeve-plan.5; do
		mandoc -Tlint -W warning "$T/$page" >"$T/err" || fail "$page is not well-formed"
	done
	# What an option says stands in the page word for word.
	mandoc -Tascii "$T/reeve.1" | sed 's/.\x08//g' | tr -s ' \n' ' ' >"$T/page"
	want_in "$T/page" "--tail N "
	want_in "$T/page" "124 Timed out."
elif [ -n "${CI:-}" ]; then
	fail "no mandoc in CI"
fi

# ---- completion ----

words() { "$REEVE" completion --words -- "$@" 2>"$T/err" | cut -f1 >"$T/out"; }

words ""
want_eq "$(sort "$T/out" | xargs)" "$(echo $verbs | tr ' ' '\n' | sort | xargs)"
for verb in $verbs; do
	words $verb --
	"$REEVE" help $verb | sed -n 's/^  *\(-., \)\?\(--[a-z0-9-]*\).*/\2/p' | sort -u >"$T/options"
	want_eq "$verb: $(sort -u "$T/out" | xargs)" "$verb: $(xargs <"$T/options")"
done
words status -o ""
want_eq "$(xargs <"$T/out")" "table wide json jsonl name"
words check ""
want_eq "$(cat "$T/out")" ":files"
words token ""
want_eq "$(xargs <"$T/out")" "create list revoke"
words no-such-verb ""
want_empty "$T/out"

# Ids are those there are: runs, then a run's units.
cat >plan.yaml <<'Y'
version: 1
units:
  - {id: build-api, command: ["true"]}
  - {id: build-web, command: ["true"]}
Y
expect 0 reeve run plan.yaml
run=$(run_id)
words status ""
want_eq "$(cat "$T/out")" "$run"
words logs "$run/"
want_eq "$(xargs <"$T/out")" "$run/build-api $run/build-web"
words status --state none ""
expect 0 reeve completion --words -- logs ""
grep -qx "$run" "$T/out" || fail "no runs for logs"

# ---- in the shells themselves ----

mkdir "$T/bin"
ln -s "$REEVE" "$T/bin/reeve"
export PATH=$T/bin:$PATH

in_bash() {
	bash --norc -c 'source <(reeve completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reeve; printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}
want_eq "$(in_bash reeve subm)" submit
want_eq "$(in_bash reeve status --coor)" --coordinator
want_eq "$(in_bash reeve logs "$run/build-w")" "$run/build-web"
want_eq "$(in_bash reeve check pl)" plan.yaml
mkdir "with blank"
want_eq "$(in_bash reeve check "with")" "with blank"

if command -v fish >/dev/null; then
	export HOME=$T
	in_fish() { fish --no-config -c 'reeve completion fish | source; complete -C "'"$1"'"' | cut -f1; }
	want_eq "$(in_fish "reeve subm")" submit
	want_eq "$(in_fish "reeve logs $run/build-w")" "$run/build-web"
elif [ -n "${CI:-}" ]; then
	fail "no fish in CI"
fi
if command -v zsh >/dev/null && command -v tmux >/dev/null; then
	export TERM=xterm
	tmux="tmux -L reeve-$$ -f /dev/null"
	$tmux new-session -d -x 100 -y 30 "zsh -f"
	ends() { $tmux kill-server 2>/dev/null; end_test; }
	trap ends EXIT
	shows() { $tmux capture-pane -p | grep -qF -- "$1"; }
	$tmux send-keys "PS1='ready%# '; autoload -U compinit; compinit -u -d $T/dump; source <(reeve completion zsh)" Enter
	wait_until 10 shows "ready#"
	$tmux send-keys "clear" Enter
	wait_until 10 eval '! shows compinit'
	$tmux send-keys "reeve subm" Tab
	wait_until 10 shows "reeve submit"
	$tmux send-keys "--wa" Tab
	wait_until 10 shows "reeve submit --wa"
	$tmux send-keys C-c "reeve logs $run/build-w" Tab
	wait_until 10 shows "reeve logs $run/build-web"
elif [ -n "${CI:-}" ]; then
	fail "no zsh or no tmux in CI"
fi

say "docs/cli.md names every verb, and each that is not built where it says what is not"
expect 0 reeve help
not_built=$(sed -n 's/^Not built yet: //p' "$T/out")
sed -n '/^## Not built yet/,$p' "$top/docs/cli.md" >"$T/not-built"
for verb in $not_built; do
	want_in "$T/not-built" "\`$verb\`"
done
for verb in $(sed -n 's/^  \([a-z][a-z]*\)  *[a-z].*/\1/p' "$T/out"); do
	grep -Eq "\`(reeve )?$verb[ \`]" "$top/docs/cli.md" || fail "docs/cli.md has no \"$verb\""
done

say "what acts on a run stands in one place, in the help and in docs/cli.md"
expect 0 reeve help
sed -n '/^Acting on them/,/^$/p' "$T/out" >"$T/acting"
sed -n '/^## Acting/,/^## Results/p' "$top/docs/cli.md" >"$T/acting-docs"
for verb in add close cancel pause hold release skip retry set; do
	want_in "$T/acting" "  $verb "
	want_in "$T/acting-docs" "\`$verb "
done
