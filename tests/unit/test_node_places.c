/* test_node_places.c - shared workspaces found by their id; logs read from where somebody has read so far */
#include "tests/lib/test.h"

#include "common/os/file.h"
#include "node/logread.h"
#include "node/warden/seglog.h"
#include "tests/lib/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct rv_str path(const char *name)
{
	return rv_str_of(scratch(name));
}

static void make_workspace(const char *name, const char *id)
{
	char file[200];

	assert_int_equal(rv_dir_make(scratch(name), 0700, NULL), 0);
	(void)snprintf(file, sizeof(file), "%s/.reeve", name);
	assert_int_equal(rv_dir_make(scratch(file), 0700, NULL), 0);
	(void)snprintf(file, sizeof(file), "%s/" NODE_WORKSPACE_ID_FILE, name);
	scratch_write(file, id);
}

static void it_is_there_if_its_id_is(void **state)
{
	struct node_places p;
	struct proto_workspace w = { .id = RV_STR("tree-1") };
	struct node_place *first;
	struct rv_err err;
	char root[300];

	(void)state;
	make_workspace("ws", "tree-1\n");
	make_workspace("other", "tree-2");
	node_places_init(&p, RV_STR(""), rv_str_of(scratch_path()), RV_STR(""));
	(void)snprintf(root, sizeof(root), "%s", scratch("ws"));
	w.root = rv_str_of(root);
	first = node_places_find(&p, &w, 1, &err);
	assert_non_null(first);
	assert_true(rv_str_equal(first->workspace, w.root));
	assert_int_equal(first->namespaces.root.bytes, w.root.bytes + 7);
	assert_ptr_equal(node_places_find(&p, &w, 2, &err), first);
	assert_ptr_equal(node_places_by_key(&p, first->key), first);
	assert_ptr_equal(node_places_by_key(&p, 0), &p.own);
	assert_ptr_equal(node_places_by_key(&p, first->key ^ 1), &p.own);
	w.root = path("other");
	assert_null(node_places_find(&p, &w, 3, &err));
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	w.root = path("nowhere");
	assert_null(node_places_find(&p, &w, 3, &err));
	w.root = RV_STR("relative");
	assert_null(node_places_find(&p, &w, 3, &err));
	w.root = rv_str_of(root);
	w.id = RV_STR("tree-");
	assert_null(node_places_find(&p, &w, 3, &err));
	w.id = RV_STR("");
	assert_null(node_places_find(&p, &w, 3, &err));
	/* it is unmounted: after a second nobody believes in it any more */
	w.id = RV_STR("tree-1");
	assert_int_equal(unlink(scratch("ws/" NODE_WORKSPACE_ID_FILE)), 0);
	assert_ptr_equal(node_places_find(&p, &w, 3, &err), first);
	assert_null(node_places_find(&p, &w, 2000000, &err));
	node_places_release(&p);
}

static void maps_lead_to_where_it_is_here(void **state)
{
	struct node_map_rule rules[4];
	struct node_places p;
	struct node_place *place;
	struct proto_workspace w = { .id = RV_STR("x"), .root = RV_STR("/home/ann/src/tree") };
	char texts[4][300];

	(void)state;
	make_workspace("srv/tree", "x");
	make_workspace("deep", "x");
	(void)snprintf(texts[0], 300, "/home/ann/=%s/", scratch("wrong"));
	(void)snprintf(texts[1], 300, "/home/ann/src=%s", scratch("srv"));
	(void)snprintf(texts[2], 300, "/home/ann/sr=%s", scratch("wrong"));
	(void)snprintf(texts[3], 300, "/home/ann/src/deep/=%s", scratch("deep"));
	for (int i = 0; i < 4; i++)
		assert_int_equal(node_map_rule_parse(texts[i], &rules[i], NULL), 0);
	node_places_init(&p, RV_STR(""), rv_str_of(scratch_path()), RV_STR(""));
	p.rules = rules;
	p.rule_count = 4;
	place = node_places_find(&p, &w, 1, NULL);
	assert_non_null(place);
	assert_true(rv_str_equal(place->workspace, path("srv/tree")));
	w.root = RV_STR("/home/ann/src/deep");
	w.namespace_root = RV_STR("/home/ann/src/spaces");
	place = node_places_find(&p, &w, 1, NULL);
	assert_non_null(place);
	assert_true(rv_str_equal(place->workspace, path("deep")));
	assert_true(rv_str_equal(place->namespaces.root, path("srv/spaces")));
	node_places_release(&p);
	assert_int_equal(node_map_rule_parse("a=/b", &rules[0], NULL), -1);
	assert_int_equal(node_map_rule_parse("/a=b", &rules[0], NULL), -1);
	assert_int_equal(node_map_rule_parse("/a", &rules[0], NULL), -1);
	assert_int_equal(node_map_rule_parse("", &rules[0], NULL), -1);
}

static void what_it_was_is_known_to_the_next_daemon(void **state)
{
	struct proto_workspace w = { .id = RV_STR("x") };
	struct node_place *place;
	struct node_places p;
	char root[300], state_dir[300];
	uint64_t key;

	(void)state;
	make_workspace("ws", "x");
	(void)snprintf(root, sizeof(root), "%s", scratch("ws"));
	(void)snprintf(state_dir, sizeof(state_dir), "%s", scratch_path());
	w.root = rv_str_of(root);
	node_places_init(&p, RV_STR(""), rv_str_of(state_dir), rv_str_of(state_dir));
	place = node_places_find(&p, &w, 1, NULL);
	assert_non_null(place);
	key = place->key;
	node_places_release(&p);
	node_places_init(&p, RV_STR(""), rv_str_of(state_dir), rv_str_of(state_dir));
	assert_int_equal(p.count, 1);
	place = node_places_by_key(&p, key);
	assert_true(rv_str_equal(place->namespaces.root, path("ws/.reeve")));
	assert_ptr_equal(node_places_find(&p, &w, 1, NULL), place); /* the same one, not a second */
	assert_int_equal(p.count, 1);
	node_places_release(&p);
}

/* It would be kept, and could not be read back beside 63 others of its kind. */
static void what_cannot_be_opened_is_no_place(void **state)
{
	struct node_places p;
	char root[256], longest[5000], nul[] = "/a\0b";
	struct proto_workspace w = { .id = RV_STR("one") };
	struct rv_err err;

	(void)state;
	make_workspace("tree", "one");
	(void)snprintf(root, sizeof(root), "%s", scratch("tree"));
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	node_places_init(&p, RV_STR(""), RV_STR(""), rv_str_of(scratch_path()));
	w.root = rv_str_of(root);
	w.namespace_root = rv_str(longest, sizeof(longest));
	assert_null(node_places_find(&p, &w, 1, &err));
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	w.namespace_root = rv_str(nul, 4);
	assert_null(node_places_find(&p, &w, 1, &err));
	assert_false(scratch_has(NODE_PLACES_FILE));
	w.namespace_root = RV_STR("");
	assert_non_null(node_places_find(&p, &w, 1, &err));
	node_places_release(&p);
}

static void there_may_be_only_so_many(void **state)
{
	struct proto_workspace w = { .id = RV_STR("x") };
	struct node_places p;
	struct rv_err err;
	char name[20];

	(void)state;
	node_places_init(&p, RV_STR(""), rv_str_of(scratch_path()), rv_str_of(scratch_path()));
	for (uint32_t i = 0; i <= NODE_PLACES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "w%u", i);
		make_workspace(name, "x");
		w.root = path(name);
		if (i < NODE_PLACES_MAX) {
			assert_non_null(node_places_find(&p, &w, 1, &err));
		} else {
			assert_null(node_places_find(&p, &w, 1, &err));
			assert_int_equal(err.code, RV_E_LIMIT);
		}
	}
	node_places_release(&p);
}

static void what_is_gone_gives_its_place_back(void **state)
{
	struct proto_workspace w = { .id = RV_STR("x") };
	struct node_place *place;
	struct node_places p;
	struct rv_err err;
	char name[40];

	(void)state;
	node_places_init(&p, RV_STR(""), rv_str_of(scratch_path()), rv_str_of(scratch_path()));
	for (uint32_t i = 0; i < NODE_PLACES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "w%u", i);
		make_workspace(name, "x");
		w.root = path(name);
		assert_non_null(node_places_find(&p, &w, 1, &err));
	}
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "w3", NULL), 0);
	make_workspace("new", "x");
	w.root = path("new");
	place = node_places_find(&p, &w, 1, &err);
	assert_non_null(place);
	assert_true(rv_str_equal(place->workspace, path("new")));
	assert_int_equal(p.count, NODE_PLACES_MAX);
	make_workspace("one-more", "x");
	w.root = path("one-more");
	assert_null(node_places_find(&p, &w, 1, &err));
	node_places_release(&p);
	/* and it is so for the next daemon */
	node_places_init(&p, RV_STR(""), rv_str_of(scratch_path()), rv_str_of(scratch_path()));
	assert_int_equal(p.count, NODE_PLACES_MAX);
	w.root = path("new");
	assert_non_null(node_places_find(&p, &w, 1, &err));
	assert_int_equal(p.count, NODE_PLACES_MAX);
	node_places_release(&p);
}

static void a_workspace_made_anew_takes_the_same_place(void **state)
{
	struct proto_workspace w = { .id = RV_STR("first") };
	struct node_place *first, *second;
	struct node_places p;
	char root[300];
	int fd;

	(void)state;
	node_places_init(&p, RV_STR(""), rv_str_of(scratch_path()), rv_str_of(scratch_path()));
	make_workspace("ws", "first");
	(void)snprintf(root, sizeof(root), "%s", scratch("ws"));
	w.root = rv_str_of(root);
	first = node_places_find(&p, &w, 1, NULL);
	assert_non_null(first);
	assert_int_equal(node_namespace_make(&first->namespaces, 7, RV_STR("u"), 1, &fd, NULL), 0);
	close(fd);
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "ws", NULL), 0);
	make_workspace("ws", "second");
	w.id = RV_STR("second");
	second = node_places_find(&p, &w, 2, NULL);
	assert_ptr_equal(second, first);
	assert_int_equal(node_namespace_make(&second->namespaces, 7, RV_STR("u"), 1, &fd, NULL), 0);
	close(fd);
	assert_int_equal(p.count, 1);
	assert_true(rv_str_equal(second->workspace, w.root));
	w.id = RV_STR("first");
	assert_null(node_places_find(&p, &w, 3, NULL));
	node_places_release(&p);
}

/* --- logs ---------------------------------------------------------------------------------------------------------------- */

struct log_lab {
	struct node_places places;
	struct rv_buf room;
	struct proto_log_piece piece;
	bool runs;
	const char *log_dir;
};

static struct rv_str ask(struct log_lab *l, uint32_t stream, uint64_t offset, uint32_t most)
{
	struct proto_log_wanted w = { .request = 3, .run = 7, .unit = 1, .attempt = 2, .unit_id = RV_STR("u"), .stream = stream, .offset = offset,
				      .bytes_max = most };
	struct rv_err err;

	if (node_log_read(l->log_dir, &l->places, &w, l->runs, &l->room, &l->piece, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(l->piece.request, 3);
	assert_int_equal(l->piece.attempt, 2);
	return l->piece.bytes;
}

static void lab_open(struct log_lab *l)
{
	*l = (struct log_lab){ .log_dir = "" };
	node_places_init(&l->places, RV_STR(""), rv_str_of(scratch_path()), RV_STR(""));
	rv_buf_init(&l->room, 0);
}

static void lab_close(struct log_lab *l)
{
	node_places_release(&l->places);
	rv_buf_release(&l->room);
}

static void the_shared_log_is_read_on_from_where_one_was(void **state)
{
	struct seglog log;
	struct seglog_attempt a = { .entry.id = { .run = 7, .unit = 1, .attempt = 2 } };
	struct log_lab l;
	char dir[300];
	uint64_t next;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s", scratch("log"));
	lab_open(&l);
	l.log_dir = dir;
	l.runs = true;
	assert_str(ask(&l, 3, 0, 100), "");
	assert_true(l.piece.known);
	assert_false(l.piece.ended);
	assert_int_equal(seglog_open(&log, dir, 1 << 20, NULL), 0);
	assert_true(seglog_append(&log, &a, 0, 0, RV_STR("out one\n")));
	assert_true(seglog_append(&log, &a, 1, 0, RV_STR("err one\n")));
	a.entry.bytes[0] = a.entry.bytes[1] = 8;
	seglog_note(&log, &a);
	assert_str(ask(&l, 1, 0, 100), "out one\n");
	assert_int_equal(l.piece.offset, 0);
	assert_int_equal(l.piece.next, 8);
	assert_str(ask(&l, 2, 4, 100), "one\n");
	assert_int_equal(l.piece.offset, 4);
	assert_str(ask(&l, 1, 0, 3), "out");
	assert_int_equal(l.piece.next, 3);
	assert_str(ask(&l, 3, 0, 11), "out one\nerr");
	next = l.piece.next;
	assert_true(seglog_append(&log, &a, 0, 8, RV_STR("out two\n")));
	a.entry.bytes[0] = 16;
	seglog_note(&log, &a);
	assert_str(ask(&l, 3, next, 100), " one\nout two\n");
	next = l.piece.next;
	assert_str(ask(&l, 3, next, 100), "");
	assert_int_equal(l.piece.next, next);
	assert_false(l.piece.ended);
	l.runs = false;
	assert_str(ask(&l, 3, next, 100), "");
	assert_true(l.piece.ended);
	assert_true(l.piece.known);
	assert_str(ask(&l, 1, 0, 3), "out");
	assert_false(l.piece.ended);
	assert_str(ask(&l, 1, UINT64_MAX, 4), "two\n");
	assert_int_equal(l.piece.offset, 12);
	assert_str(ask(&l, 3, UINT64_MAX, 1000), "out one\nerr one\nout two\n");
	assert_str(ask(&l, 1, 1000, 10), "");
	assert_true(l.piece.ended);
	seglog_close(&log);
	lab_close(&l);
}

/* A position of both streams is one number; where it cannot say more the log ends, instead of giving its last bytes for ever. */
static void both_streams_end_where_their_position_does(void **state)
{
	const uint64_t most = UINT32_MAX - 1;
	struct log_lab l;
	int dir, fd;

	(void)state;
	lab_open(&l);
	l.runs = true;
	assert_int_equal(node_namespace_make(&l.places.own.namespaces, 7, RV_STR("u"), 2, &dir, NULL), 0);
	assert_int_equal(rv_file_write_at(dir, "logs/stdout.log", RV_STR("x"), 0600, RV_FILE_NOSYNC, NULL), 0);
	fd = openat(dir, "logs/stdout.log", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)5 << 30), 0);
	close(fd);
	close(dir);
	assert_int_equal(ask(&l, 3, (most - 7) << 32, 5).bytes, 5);
	assert_false(l.piece.ended);
	assert_true(l.piece.next == (most - 2) << 32);
	assert_non_null(strstr(ask(&l, 3, l.piece.next, 1000).at + 2, "more than 4 GiB"));
	assert_true(l.piece.ended);
	assert_true(l.piece.next == most << 32);
	/* of one stream there is no such end */
	assert_int_equal(ask(&l, 1, most - 2, 1000).bytes, 1000);
	assert_int_equal(l.piece.next, most + 998);
	assert_false(l.piece.ended);
	assert_int_equal(ask(&l, 3, UINT64_MAX, 1000).bytes, 1000);
	lab_close(&l);
}

static void a_namespace_s_log_is_read_and_no_trap_in_it(void **state)
{
	struct log_lab l;
	int fd;

	(void)state;
	lab_open(&l);
	assert_str(ask(&l, 1, 0, 10), "");
	assert_false(l.piece.known);
	assert_true(l.piece.ended);
	assert_int_equal(node_namespace_make(&l.places.own.namespaces, 7, RV_STR("u"), 2, &fd, NULL), 0);
	assert_int_equal(rv_file_write_at(fd, "logs/stdout.log", RV_STR("printed"), 0600, RV_FILE_NOSYNC, NULL), 0);
	assert_int_equal(mkfifoat(fd, "logs/stderr.log", 0600), 0);
	assert_str(ask(&l, 3, 0, 100), "printed");
	assert_true(l.piece.known);
	assert_str(ask(&l, 1, 2, 100), "inted");
	assert_str(ask(&l, 2, 0, 100), "");
	assert_str(ask(&l, 3, UINT64_MAX, 4), "nted");
	assert_int_equal(unlinkat(fd, "logs/stderr.log", 0), 0);
	assert_int_equal(rv_file_write_at(fd, "logs/stderr.log", RV_STR("complained"), 0600, RV_FILE_NOSYNC, NULL), 0);
	assert_str(ask(&l, 3, 0, 10), "printedcom");
	assert_false(l.piece.ended);
	assert_str(ask(&l, 3, l.piece.next, 100), "plained");
	assert_true(l.piece.ended);
	assert_str(ask(&l, 3, UINT64_MAX, 6), "tedned");
	close(fd);
	lab_close(&l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_is_there_if_its_id_is),
		T(maps_lead_to_where_it_is_here),
		T(what_it_was_is_known_to_the_next_daemon),
		T(what_cannot_be_opened_is_no_place),
		T(there_may_be_only_so_many),
		T(what_is_gone_gives_its_place_back),
		T(a_workspace_made_anew_takes_the_same_place),
		T(the_shared_log_is_read_on_from_where_one_was),
		T(both_streams_end_where_their_position_does),
		T(a_namespace_s_log_is_read_and_no_trap_in_it),
	};

	return RUN(tests);
}
