#include "common/net/bus.h"

#include "common/net/socket.h"
#include "common/os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

int net_bus_create(struct net_bus **out, enum net_bus_reach reach, struct rv_err *err)
{
	struct net_bus *b = calloc(1, sizeof *b);

	if (!b)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a message bus");
	b->reach = reach;
	b->ctx = zmq_ctx_new();
	if (!b->ctx) {
		free(b);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a message bus");
	}
	if (zmq_ctx_set(b->ctx, ZMQ_IO_THREADS, reach == NET_BUS_NETWORK) < 0 || zmq_ctx_set(b->ctx, ZMQ_BLOCKY, 0) < 0) {
		net_bus_destroy(&b);
		return rv_fail(err, RV_E_IO, "cannot set up the message bus: %s", zmq_strerror(zmq_errno()));
	}
	*out = b;
	return 0;
}

void net_bus_destroy(struct net_bus **bp)
{
	struct net_bus *b = *bp;

	if (!b)
		return;
	while (zmq_ctx_term(b->ctx) < 0 && zmq_errno() == EINTR)
		continue;
	for (uint32_t i = 0; i < b->dir_count; i++)
		(void)close(b->dirs[i]); /* a directory: nothing to lose */
	free(b->dirs);
	free(b);
	*bp = NULL;
}

/* --- ipc ---------------------------------------------------------------------------------------------------------------- */

static int keep_dir(struct net_bus *b, const char *dir, int *fd, struct rv_err *err)
{
	int *grown;

	if (rv_dir_open(dir, fd, err) < 0)
		return -1;
	grown = realloc(b->dirs, (b->dir_count + 1) * sizeof *grown);
	if (!grown) {
		(void)close(*fd);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the socket in %s", dir);
	}
	b->dirs = grown;
	b->dirs[b->dir_count++] = *fd;
	return 0;
}

int net_bus_ipc_endpoint(struct net_bus *b, const char *dir, const char *name, char *out, size_t size, struct rv_err *err)
{
	size_t path_bytes = strlen(dir) + 1 + strlen(name);
	int fd, n;

	/* "@name" would be an abstract socket, "*" any free name */
	if (path_bytes < sizeof((struct sockaddr_un *)0)->sun_path && (*dir == '/' || *dir == '.'))
		n = snprintf(out, size, "ipc://%s/%s", dir, name);
	else if (keep_dir(b, dir, &fd, err) < 0)
		return -1;
	else
		n = snprintf(out, size, "ipc:///proc/self/fd/%d/%s", fd, name);
	if (n < 0 || (size_t)n >= size)
		return rv_fail(err, RV_E_LIMIT, "the name of the socket %s/%s is too long", dir, name);
	return 0;
}
