#include "node/agents/found.h"

#include "common/os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *value_of(const struct node_daemon_config *cfg, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; cfg->env && cfg->env[i]; i++)
		if (strncmp(cfg->env[i], name, n) == 0 && cfg->env[i][n] == '=')
			return cfg->env[i] + n + 1;
	return NULL;
}

static bool executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool node_found_program(const struct node_daemon_config *cfg, const struct node_profile *p, char path[PATH_MAX])
{
	struct rv_str program = node_profile_program(cfg, p);
	const char *dirs = value_of(cfg, "PATH");

	if (program.bytes && memchr(program.at, '/', program.bytes)) {
		(void)snprintf(path, PATH_MAX, "%.*s", RV_STR_ARGS(program));
		return executable(path);
	}
	while (dirs && *dirs) {
		size_t n = strcspn(dirs, ":");

		if (snprintf(path, PATH_MAX, "%.*s/%.*s", (int)n, dirs, RV_STR_ARGS(program)) < PATH_MAX && n && executable(path))
			return true;
		dirs += n + (dirs[n] == ':');
	}
	return false;
}

void node_found_look(const struct node_daemon_config *cfg, struct node_found_all *all)
{
	const struct node_profile *p;

	all->count = 0;
	for (uint32_t i = 0; (p = node_profile_at(i)) && all->count < NODE_FOUND_MAX; i++) {
		struct node_found *f = &all->item[all->count];

		if (!node_found_program(cfg, p, f->path))
			continue;
		f->profile = p;
		f->version[0] = '\0';
		all->label[all->count++] = (struct proto_label){ rv_str_of(p->name), RV_STR("") };
	}
}

/* --- versions ------------------------------------------------------------------------------------------------------------- */

struct asked {
	pid_t pid;
	int fd; /* -1: it has said all, or was never started */
	char text[256];
	size_t bytes;
};

static void ask_one(const struct node_found *f, struct asked *a)
{
	int out[2], null;

	a->fd = -1;
	a->pid = -1;
	a->bytes = 0;
	if (pipe2(out, O_CLOEXEC | O_NONBLOCK))
		return;
	a->pid = fork();
	if (a->pid == 0) {
		(void)setsid();
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)fcntl(out[1], F_SETFL, 0);
		if (null >= 0 && dup2(null, 0) == 0 && dup2(out[1], 1) == 1 && dup2(null, 2) == 2)
			(void)execl(f->path, f->path, f->profile->version_arg, (char *)NULL);
		_exit(127);
	}
	(void)close(out[1]);
	if (a->pid < 0)
		(void)close(out[0]);
	else
		a->fd = out[0];
}

static void hear(struct asked *a)
{
	char rest[256];
	ssize_t n = a->bytes < sizeof(a->text) ? read(a->fd, a->text + a->bytes, sizeof(a->text) - a->bytes) : read(a->fd, rest, sizeof(rest));

	if (n > 0) {
		a->bytes += a->bytes < sizeof(a->text) ? (size_t)n : 0;
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		(void)close(a->fd);
		a->fd = -1;
	}
}

static void hear_all(struct asked *asked, uint32_t count)
{
	uint64_t end = rv_clock_monotonic_us() + NODE_FOUND_WAIT_US;
	struct pollfd p[NODE_FOUND_MAX];

	for (;;) {
		uint64_t now = rv_clock_monotonic_us();
		uint32_t open = 0;

		for (uint32_t i = 0; i < count; i++) {
			p[i] = (struct pollfd){ .fd = asked[i].fd, .events = POLLIN };
			open += asked[i].fd >= 0;
		}
		if (!open || now >= end)
			return;
		if (poll(p, count, (int)((end - now) / RV_US_PER_MS) + 1) <= 0)
			continue;
		for (uint32_t i = 0; i < count; i++)
			if (p[i].revents)
				hear(&asked[i]);
	}
}

/* "2.1.332 (Claude Code)", "codex-cli 0.171.0": the first word that begins with a digit. */
static void set_version(struct node_found *f, const struct asked *a)
{
	size_t at = 0, n = 0;

	while (at < a->bytes && !(a->text[at] >= '0' && a->text[at] <= '9' && (at == 0 || strchr(" \t\nv", a->text[at - 1]))))
		at++;
	while (at + n < a->bytes && n + 1 < sizeof(f->version) && a->text[at + n] > ' ' && a->text[at + n] < 127)
		n++;
	memcpy(f->version, a->text + at, n);
	f->version[n] = '\0';
}

void node_found_ask(struct node_found_all *all)
{
	struct asked asked[NODE_FOUND_MAX];

	for (uint32_t i = 0; i < all->count; i++)
		ask_one(&all->item[i], &asked[i]);
	hear_all(asked, all->count);
	for (uint32_t i = 0; i < all->count; i++) {
		if (asked[i].fd >= 0)
			(void)close(asked[i].fd);
		if (asked[i].pid > 0) {
			(void)kill(-asked[i].pid, SIGKILL);
			(void)kill(asked[i].pid, SIGKILL); /* it may not have its session yet */
			while (waitpid(asked[i].pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
		set_version(&all->item[i], &asked[i]);
		all->label[i].value = rv_str_of(all->item[i].version);
	}
}

/* --- logins --------------------------------------------------------------------------------------------------------------- */

enum node_login node_found_login(const struct node_daemon_config *cfg, const struct node_profile *p, char by[PATH_MAX])
{
	const char *home = value_of(cfg, "HOME"), *config = p->config_home ? value_of(cfg, p->config_home) : NULL;

	for (size_t i = 0; i < RV_ARRAY_LEN(p->keys) && p->keys[i]; i++) {
		const char *value = value_of(cfg, p->keys[i]);

		if (value && *value) {
			(void)snprintf(by, PATH_MAX, "%s", p->keys[i]);
			return NODE_LOGIN_KEY;
		}
	}
	if (config && *config)
		(void)snprintf(by, PATH_MAX, "%s/%s", config, p->login_file);
	else
		(void)snprintf(by, PATH_MAX, "%s/%s/%s", home ? home : "", p->login_dir, p->login_file);
	return access(by, R_OK) == 0 ? NODE_LOGIN_FILE : NODE_LOGIN_NONE;
}
