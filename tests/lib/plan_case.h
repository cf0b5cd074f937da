/* plan_case.h - loading a plan from a text in a test, and asking what was said about it */
#ifndef TESTS_LIB_PLAN_CASE_H
#define TESTS_LIB_PLAN_CASE_H

#include "tests/lib/test.h"

#include "common/plan/diag.h"
#include "common/plan/plan.h"

struct plan_case {
	struct plan *plan;
	struct plan_diags diags;
	struct rv_err err;
	struct plan_load_options opt;
	const char *sets[8];
};

struct plan_memory {
	const char *at;
	size_t left;
};

static inline long plan_case_read(void *arg, void *to, size_t room)
{
	struct plan_memory *m = arg;
	size_t n = m->left < room ? m->left : room;

	/* Small pieces, so that lines are put together. */
	n = n > 7 ? 7 : n;
	memcpy(to, m->at, n);
	m->at += n;
	m->left -= n;
	return (long)n;
}

static inline int plan_case_load(struct plan_case *c, const char *text, enum plan_format format)
{
	plan_diags_init(&c->diags);
	c->opt.shown_name = "plan.yaml";
	c->opt.sets = c->sets;
	c->err = (struct rv_err){ 0 };
	return plan_load_bytes(rv_str_of(text), format, &c->opt, &c->plan, &c->diags, &c->err);
}

static inline int plan_case_lines(struct plan_case *c, const char *text)
{
	struct plan_memory m = { text, strlen(text) };

	plan_diags_init(&c->diags);
	c->opt.shown_name = "stdin";
	c->opt.sets = c->sets;
	c->err = (struct rv_err){ 0 };
	return plan_load_lines(plan_case_read, &m, &c->opt, &c->plan, &c->diags, &c->err);
}

static inline void plan_case_release(struct plan_case *c)
{
	plan_destroy(&c->plan);
	plan_diags_release(&c->diags);
}

static inline void plan_case_show(const struct plan_case *c)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	(void)plan_diags_text(&c->diags, &b);
	print_error("%s(%s)\n", b.at, c->err.msg);
	rv_buf_release(&b);
}

/* Loads what has to be right. */
static inline void plan_case_fine(struct plan_case *c, const char *text)
{
	if (plan_case_load(c, text, PLAN_FORMAT_YAML) != 0) {
		plan_case_show(c);
		fail();
	}
	assert_non_null(c->plan);
	assert_int_equal(c->diags.errors_found, 0);
}

static inline const struct plan_unit *plan_case_unit(const struct plan_case *c, const char *id)
{
	uint32_t i = plan_find_unit(c->plan, rv_str_of(id));

	assert_true(i != PLAN_NONE);
	return &c->plan->units[i];
}

#endif
