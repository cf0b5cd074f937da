#include "node/glob.h"

/* The set of pattern places that the path read so far can be at: a bit each, moved along by every character. */
struct places {
	uint64_t bit[NODE_GLOB_BYTES_MAX / 64 + 1];
};

static bool has(const struct places *p, size_t i)
{
	return p->bit[i / 64] >> (i % 64) & 1;
}

static void set(struct places *p, size_t i)
{
	p->bit[i / 64] |= (uint64_t)1 << (i % 64);
}

static bool is_double(struct rv_str p, size_t i)
{
	return i + 1 < p.bytes && p.at[i] == '*' && p.at[i + 1] == '*';
}

/* Adds place i, arrived at from before it, and all that are reached from there without reading a character. */
static void reach(struct places *s, struct rv_str p, size_t i)
{
	for (;;) {
		bool seen = has(s, i);

		set(s, i);
		if (is_double(p, i)) {
			/* no segment at all: what follows its slash */
			if (i + 2 < p.bytes && p.at[i + 2] == '/' && (i == 0 || p.at[i - 1] == '/') && !has(s, i + 3))
				reach(s, p, i + 3);
			i += 2;
		} else if (i < p.bytes && p.at[i] == '*') {
			i++;
		} else {
			return;
		}
		if (seen)
			return;
	}
}

/* One set at i: whether c is in it; *next is behind it. An open set is a plain '['. */
static bool in_set(struct rv_str p, size_t i, char c, size_t *next)
{
	size_t k = i + 1;
	bool not = k < p.bytes && (p.at[k] == '!' || p.at[k] == '^'), found = false, first = true;

	if (not)
		k++;
	for (; k < p.bytes && (p.at[k] != ']' || first); first = false) {
		unsigned char lo = (unsigned char)p.at[k], hi = lo;

		if (k + 2 < p.bytes && p.at[k + 1] == '-' && p.at[k + 2] != ']') {
			hi = (unsigned char)p.at[k + 2];
			k += 2;
		}
		found = found || ((unsigned char)c >= lo && (unsigned char)c <= hi);
		k++;
	}
	if (k >= p.bytes) {
		*next = i + 1;
		return c == '[';
	}
	*next = k + 1;
	return c != '/' && found != not;
}

static void read_char(struct places *to, struct rv_str p, size_t i, char c)
{
	size_t next = i + 1;

	if (i >= p.bytes)
		return;
	if (is_double(p, i)) {
		set(to, i);
		reach(to, p, i + 2);
	} else if (p.at[i] == '*') {
		if (c != '/')
			reach(to, p, i);
	} else if (p.at[i] == '?') {
		if (c != '/')
			reach(to, p, next);
	} else if (p.at[i] == '[') {
		if (in_set(p, i, c, &next))
			reach(to, p, next);
	} else {
		if (p.at[i] == '\\' && i + 1 < p.bytes)
			next = ++i + 1;
		if (p.at[i] == c)
			reach(to, p, next);
	}
}

bool node_glob_match(struct rv_str pattern, struct rv_str path)
{
	struct places now = { 0 };

	if (pattern.bytes > NODE_GLOB_BYTES_MAX)
		return false;
	reach(&now, pattern, 0);
	for (size_t k = 0; k < path.bytes; k++) {
		struct places next = { 0 };

		for (size_t i = 0; i < pattern.bytes; i++)
			if (has(&now, i))
				read_char(&next, pattern, i, path.at[k]);
		now = next;
	}
	return has(&now, pattern.bytes);
}
