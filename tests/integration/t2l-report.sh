# The HTML report in a real browser: nothing on the console, nothing asked for but the page itself, whatever units printed.
. "$(dirname "$0")/lib.sh"

command -v chromium >/dev/null || skip "no chromium"

cat >plan.json <<'END'
{"version": 1, "name": "report", "units": [
 {"id": "good", "command": ["sh", "-c", "sleep 0.05"], "for_each": {"count": 12}},
 {"id": "bad", "command": ["sh", "-c", "printf '%s\\n' '</pre><script>document.title=1</script><img src=/stolen onerror=fetch(\"/stolen\")><style>@import \"/stolen\"</style>' '</main></body></html><link rel=stylesheet href=/stolen>'; exit 1"], "depends_on": ["good"]},
 {"id": "behind", "command": ["true"], "depends_on": ["bad"]}
]}
END
expect 1 reeve run plan.json -j 3 --show none
mkdir www
reeve export report >www/report.html || fail "no report"

expect 0 python3 "$top/tests/lib/browser.py" www/report.html "$T/shot.png"
want_json 'd["status"] == 0 and d["shot"]'
want_json 'd["console"] == []'
want_json 'd["asked"] == ["/report.html"] and d["by_page"] == []'
[ "$(stat -c %s "$T/shot.png")" -gt 20000 ] || fail "an empty picture"

say "the same with what must not be there: the browser tells"
sed 's|</header>|<script>fetch("/stolen")</script><p style="color:red">x</p><img src="/stolen"><img src="http://elsewhere.test/x"></header>|' www/report.html >www/tampered.html
expect 0 python3 "$top/tests/lib/browser.py" www/tampered.html
want_json 'len(d["console"]) >= 3 and d["asked"] == ["/tampered.html"]'
say "and with the policy gone, it asks"
sed -i '/Content-Security-Policy/d' www/tampered.html
expect 0 python3 "$top/tests/lib/browser.py" www/tampered.html
want_json '"/stolen" in d["asked"] and any(u.endswith("/stolen") for u in d["by_page"]) and "http://elsewhere.test/x" in d["by_page"]'
