/* journal_bench.c - what the journal costs: a commit a hop, and records in bulk
 *
 *	journal_bench [DIR]       DIR: where the state directory is made and removed again (default /tmp)
 *
 * Facts are real ones (proto/record). Figures are medians of five rounds, with the least and the most.
 */
#include "common/os/clock.h"
#include "common/os/file.h"
#include "coordinator/journal/journal.h"
#include "proto/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static char dir[256], parent[200];

static void die(const char *what, const struct rv_err *err)
{
	fprintf(stderr, "journal_bench: %s: %s\n", what, err->msg);
	exit(1);
}

static void wipe(void)
{
	int at = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (at < 0 || rv_tree_remove_at(at, strrchr(dir, '/') + 1, NULL))
		fprintf(stderr, "journal_bench: cannot remove %s\n", dir);
	close(at);
}

static struct journal *open_own(enum journal_durability durability)
{
	struct journal_options o = { .mode = JOURNAL_OWN, .durability = durability, .what = "journal_bench" };
	struct journal *j;
	struct rv_err err;
	uint64_t epoch;

	if (journal_open(&j, dir, &o, &err) || journal_claim_epoch(j, &epoch, &err))
		die("open", &err);
	return j;
}

/* One unit's two facts: assigned, and ended with success. */
static void put_unit(struct rv_buf *b, uint32_t unit)
{
	struct proto_attempt_key key = { .run = (uint64_t)1 << 48, .unit = unit, .attempt = 1 };
	struct proto_fact assigned = { .kind = PROTO_FACT_ASSIGNED, .assigned = { .key = key } };
	struct proto_fact ended = { .kind = PROTO_FACT_ENDED,
				    .ended = { .key = key, .state = PROTO_END_SUCCEEDED } };

	ended.ended.result = (struct proto_result){ .key = key, .epoch = 1, .outcome = PROTO_SUCCEEDED,
						    .flags = PROTO_RESULT_STARTED, .start_us = 1764000000000000,
						    .end_us = 1764000000001000, .duration_us = 900,
						    .cpu_us = 700, .rss_bytes = 2000000 };
	if (proto_fact_encode(&assigned, b) || proto_fact_encode(&ended, b))
		exit(1);
}

/* Of all threads. On a busy machine this tells more than the clock on the wall. */
static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void show(const char *what, double *rounds, const char *unit)
{
	qsort(rounds, ROUNDS, sizeof(*rounds), compare);
	printf("%-58s %10.1f %s (%.1f to %.1f)\n", what, rounds[ROUNDS / 2], unit, rounds[0], rounds[ROUNDS - 1]);
}

/* A chain of short units: one row a hop, the next hop waits until it is durable. */
static double hops(enum journal_durability durability, uint32_t count, double *cpu)
{
	struct journal *j = open_own(durability);
	struct rv_buf b;
	struct rv_err err;
	uint64_t begin, position = 0;
	double used = cpu_us();
	uint32_t i;

	rv_buf_init(&b, 0);
	begin = rv_clock_monotonic_us();
	for (i = 0; i < count; i++) {
		struct journal_batch batch;

		rv_buf_reset(&b);
		put_unit(&b, i);
		batch = (struct journal_batch){ .records = rv_buf_str(&b), .real_us = 1764000000000000 + i };
		if (journal_append(j, &batch, &position, &err) || journal_flush(j, &err))
			die("append", &err);
	}
	begin = rv_clock_monotonic_us() - begin;
	*cpu = (cpu_us() - used) / count;
	rv_buf_release(&b);
	journal_close(&j);
	wipe();
	return (double)begin / count;
}

static enum journal_next count_facts(void *arg, const struct journal_row *row)
{
	struct rv_str at = row->records;
	struct rv_arena arena;
	struct proto_fact f;
	uint64_t *count = arg;

	rv_arena_init(&arena, 0);
	while (proto_fact_decode(&at, &arena, &f, NULL) == 1)
		++*count;
	rv_arena_release(&arena);
	return JOURNAL_MORE;
}

/* 200,000 units in rows of `per_row`; thousand facts a second of wall time, and CPU a fact. */
static void bulk(enum journal_durability durability, uint32_t per_row, double *rate, double *cpu, double *read_rate,
		 double *close_ms)
{
	const uint32_t units = 200000;
	struct journal *j = open_own(durability);
	uint64_t begin, took, position = 0, facts = 0;
	struct rv_buf b;
	struct rv_err err;
	double used = cpu_us();
	uint32_t i, n;

	rv_buf_init(&b, 0);
	begin = rv_clock_monotonic_us();
	for (i = 0; i < units; i += per_row) {
		struct journal_batch batch;

		rv_buf_reset(&b);
		for (n = 0; n < per_row && i + n < units; n++)
			put_unit(&b, i + n);
		batch = (struct journal_batch){ .records = rv_buf_str(&b), .real_us = 1764000000000000 + i };
		if (journal_append(j, &batch, &position, &err))
			die("append", &err);
	}
	if (journal_flush(j, &err))
		die("flush", &err);
	took = rv_clock_monotonic_us() - begin;
	*rate = 2.0 * units / (double)took * 1000;
	*cpu = (cpu_us() - used) / (2.0 * units);
	begin = rv_clock_monotonic_us();
	if (journal_read(j, 0, count_facts, &facts, &err))
		die("read", &err);
	*read_rate = (double)facts / (double)(rv_clock_monotonic_us() - begin) * 1000;
	rv_buf_release(&b);
	begin = rv_clock_monotonic_us();
	journal_close(&j);
	*close_ms = (double)(rv_clock_monotonic_us() - begin) / 1000;
	wipe();
}

static void bulk_rounds(enum journal_durability durability, const char *name, uint32_t per_row)
{
	double rate[ROUNDS], cpu[ROUNDS], read_rate[ROUNDS], close_ms[ROUNDS];
	char what[100];
	int i;

	for (i = 0; i < ROUNDS; i++)
		bulk(durability, per_row, &rate[i], &cpu[i], &read_rate[i], &close_ms[i]);
	snprintf(what, sizeof(what), "%s, 200,000 units, %u a row: written", name, per_row);
	show(what, rate, "k facts/s");
	show("  CPU a fact, encoding included", cpu, "us");
	show("  read back and decoded", read_rate, "k facts/s");
	show("  close (checkpoint of what is left)", close_ms, "ms");
}

static void hop_rounds(enum journal_durability durability, uint32_t count, const char *what)
{
	double wall[ROUNDS], cpu[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++)
		wall[i] = hops(durability, count, &cpu[i]);
	show(what, wall, "us");
	show("  CPU", cpu, "us");
}

static void open_rounds(enum journal_durability durability, const char *what)
{
	double wall[ROUNDS], cpu[ROUNDS], end[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		uint64_t begin = rv_clock_monotonic_us();
		double used = cpu_us();
		struct journal *j = open_own(durability);

		wall[i] = (double)(rv_clock_monotonic_us() - begin);
		cpu[i] = cpu_us() - used;
		begin = rv_clock_monotonic_us();
		journal_close(&j);
		end[i] = (double)(rv_clock_monotonic_us() - begin);
		wipe();
	}
	show(what, wall, "us");
	show("  CPU", cpu, "us");
	show("  closed", end, "us");
}

static void sync_rounds(void)
{
	double r[ROUNDS];
	char block[256] = { 0 };
	int i, n, fd;

	if (rv_dir_make(dir, 0700, NULL))
		exit(1);
	(void)strcat(dir, "/f");
	fd = open(dir, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	dir[strlen(dir) - 2] = '\0';
	for (i = 0; i < ROUNDS; i++) {
		uint64_t begin = rv_clock_monotonic_us();

		for (n = 0; n < 50; n++)
			if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(fd))
				exit(1);
		r[i] = (double)(rv_clock_monotonic_us() - begin) / 50;
	}
	close(fd);
	wipe();
	show("this disk: 256 bytes appended and fdatasync", r, "us");
}

int main(int argc, char **argv)
{
	snprintf(parent, sizeof(parent), "%s", argc > 1 ? argv[1] : "/tmp");
	snprintf(dir, sizeof(dir), "%s/journal-bench-%d", parent, (int)getpid());
	sync_rounds();
	open_rounds(JOURNAL_PROCESS, "process: make, open and claim a new journal");
	open_rounds(JOURNAL_POWER, "power: make, open and claim a new journal");
	hop_rounds(JOURNAL_PROCESS, 5000, "process: a hop (two facts, encoded, committed)");
	hop_rounds(JOURNAL_POWER, 500, "power: a hop, waited for");
	bulk_rounds(JOURNAL_PROCESS, "process", 16);
	bulk_rounds(JOURNAL_PROCESS, "process", 256);
	bulk_rounds(JOURNAL_PROCESS, "process", 4096);
	bulk_rounds(JOURNAL_POWER, "power", 256);
	return 0;
}
