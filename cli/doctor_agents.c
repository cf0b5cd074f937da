/* doctor_agents.c - the agents that reeve knows: found, which version, logged in or not */
#include "cli/doctor.h"
#include "node/agents/found.h"

extern char **environ;

static void tell_login(struct doctor *d, const struct node_daemon_config *cfg, const struct node_found *f)
{
	const struct node_profile *p = f->profile;
	char by[PATH_MAX];
	enum node_login login = node_found_login(cfg, p, by);

	if (login == NODE_LOGIN_NONE)
		doctor_add(d, p->name, DOCTOR_WARN, p->login_hint, "%s %.40s is here (%.120s), but nobody is logged in", p->name, f->version, f->path);
	else
		doctor_add(d, p->name, DOCTOR_OK, NULL, "%s %.40s (%.90s), %s %.90s", p->name, f->version, f->path,
			   login == NODE_LOGIN_KEY ? "with the key of" : "logged in by", by);
}

void doctor_agents(struct doctor *d)
{
	struct node_daemon_config cfg;
	struct node_found_all all;
	const struct node_profile *p;

	node_daemon_config_init(&cfg);
	cfg.env = (const char *const *)environ;
	node_found_look(&cfg, &all);
	node_found_ask(&all);
	for (uint32_t i = 0; (p = node_profile_at(i)); i++) {
		const struct node_found *f = NULL;

		for (uint32_t k = 0; k < all.count; k++)
			if (all.item[k].profile == p)
				f = &all.item[k];
		if (!f)
			doctor_add(d, p->name, DOCTOR_ABSENT, p->install_hint, "not here: plans cannot use it on this machine");
		else if (!f->version[0])
			doctor_add(d, p->name, DOCTOR_WARN, NULL, "%.150s does not say its version: is it %s?", f->path, p->name);
		else
			tell_login(d, &cfg, f);
	}
}
