/* id.c - what names may look like, and how run ids are made */
#include "id.h"

#include "limits.h"

#define UNIX_S_2020 UINT64_C(1577836800)
#define TIME_CHARS 7

/* Crockford's base 32 without i, l, o, u; ascending in ASCII, so ids sort as their numbers do. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct rv_run_id rv_run_id_make(uint64_t unix_us, uint32_t random)
{
	uint64_t s = rv_sat_sub(unix_us / RV_US_PER_S, UNIX_S_2020), v;

	s = rv_min_u64(s, (UINT64_C(1) << (5 * TIME_CHARS)) - 1);
	v = s << 15 | (random & 0x7fff);
	return rv_run_id_of(v);
}

struct rv_run_id rv_run_id_of(uint64_t number)
{
	struct rv_run_id id;
	int i;

	for (i = RV_RUN_ID_CHARS - 1; i >= 0; i--, number >>= 5)
		id.text[i] = alphabet[number & 31];
	id.text[RV_RUN_ID_CHARS] = '\0';
	return id;
}

uint64_t rv_run_id_number(struct rv_str s)
{
	uint64_t number = 0;
	size_t i;

	if (!rv_run_id_valid(s))
		return 0;
	for (i = 0; i < s.bytes; i++)
		number = number << 5 | (uint64_t)((const char *)memchr(alphabet, s.at[i], sizeof(alphabet) - 1) - alphabet);
	return number;
}

bool rv_run_id_valid(struct rv_str s)
{
	size_t i;

	if (s.bytes != RV_RUN_ID_CHARS)
		return false;
	for (i = 0; i < s.bytes; i++)
		if (!memchr(alphabet, s.at[i], sizeof(alphabet) - 1))
			return false;
	return true;
}

/* Not isalnum(): names mean the same in every locale. */
static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-';
}

static bool of_words_and_dots(struct rv_str s, size_t bytes_max)
{
	size_t i;

	if (s.bytes == 0 || s.bytes > bytes_max)
		return false;
	for (i = 0; i < s.bytes; i++)
		if (!is_word(s.at[i]) && s.at[i] != '.')
			return false;
	return true;
}

bool rv_unit_id_valid(struct rv_str s)
{
	if (!of_words_and_dots(s, RV_UNIT_ID_BYTES_MAX) || s.at[0] == '.')
		return false;
	return !(s.bytes >= 2 && s.at[0] == '_' && s.at[1] == '_');
}

bool rv_name_valid(struct rv_str s)
{
	return of_words_and_dots(s, RV_NAME_BYTES_MAX);
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b; more than `most`: most + 1. Neither is longer than
 * RV_UNIT_ID_BYTES_MAX. */
static unsigned int distance(struct rv_str a, struct rv_str b, unsigned int most)
{
	unsigned char rows[3][RV_UNIT_ID_BYTES_MAX + 1];
	unsigned char *back = rows[0], *above = rows[1], *row = rows[2], *free_row;
	size_t i, j;

	for (j = 0; j <= b.bytes; j++)
		above[j] = (unsigned char)j;
	for (i = 1; i <= a.bytes; i++) {
		unsigned int least = row[0] = (unsigned char)i;

		for (j = 1; j <= b.bytes; j++) {
			unsigned int d = above[j - 1] + (a.at[i - 1] != b.at[j - 1]);

			if (above[j] + 1u < d)
				d = above[j] + 1u;
			if (row[j - 1] + 1u < d)
				d = row[j - 1] + 1u;
			if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1] &&
			    back[j - 2] + 1u < d)
				d = back[j - 2] + 1u;
			row[j] = (unsigned char)d;
			if (d < least)
				least = d;
		}
		/* A swap looks two rows back, so one row over the limit is not the end of it; two are. */
		if (least > most + 1)
			return most + 1;
		free_row = back;
		back = above;
		above = row;
		row = free_row;
	}
	return above[b.bytes];
}
_Static_assert(RV_UNIT_ID_BYTES_MAX < 255, "distance() counts in bytes");

int rv_nearest(struct rv_str word, const char *const *candidates, size_t count)
{
	unsigned int most = 1 + (unsigned int)(word.bytes / 4), d;
	int best = -1;
	size_t i;

	if (word.bytes == 0 || word.bytes > RV_UNIT_ID_BYTES_MAX)
		return -1;
	if (most >= word.bytes) /* everything replaced is no resemblance */
		most = (unsigned int)word.bytes - 1;
	for (i = 0; i < count && i < INT32_MAX; i++) {
		struct rv_str c = rv_str_of(candidates[i]);

		if (c.bytes == 0 || c.bytes > RV_UNIT_ID_BYTES_MAX || c.bytes > word.bytes + most ||
		    word.bytes > c.bytes + most)
			continue;
		d = distance(word, c, most);
		if (d > most)
			continue;
		best = (int)i;
		if (d == 0)
			break;
		most = d - 1; /* only a nearer one replaces it */
	}
	return best;
}

void rv_hex(char *out, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;
	size_t i;

	for (i = 0; i < count; i++) {
		out[2 * i] = "0123456789abcdef"[at[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[at[i] & 15];
	}
	out[2 * count] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int rv_unhex(void *out, size_t count, struct rv_str hex)
{
	unsigned char *at = out;
	size_t i;

	if (count > SIZE_MAX / 2 || hex.bytes != 2 * count)
		return -1;
	for (i = 0; i < hex.bytes; i++)
		if (nibble(hex.at[i]) < 0)
			return -1;
	for (i = 0; i < count; i++)
		at[i] = (unsigned char)(nibble(hex.at[2 * i]) << 4 | nibble(hex.at[2 * i + 1]));
	return 0;
}
