#include "common/net/bus.h"

#include "common/net/socket.h"
#include "common/opts.h"
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

/* --- tcp ------------------------------------------------------------------------------------------------------------------ */

static bool host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool address_char(char c)
{
	return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

static bool host_valid(struct rv_str host, enum net_endpoint_use use)
{
	bool bracketed = host.bytes > 2 && host.at[0] == '[' && host.at[host.bytes - 1] == ']';
	struct rv_str inner = bracketed ? rv_str(host.at + 1, host.bytes - 2) : host;

	if (!inner.bytes)
		return false;
	if (!bracketed && use == NET_ENDPOINT_LISTEN && rv_str_equal(inner, RV_STR("*")))
		return true;
	for (size_t i = 0; i < inner.bytes; i++)
		if (!(bracketed ? address_char(inner.at[i]) : host_char(inner.at[i])))
			return false;
	return true;
}

static bool port_valid(struct rv_str port, enum net_endpoint_use use)
{
	uint32_t number = 0;

	if (use == NET_ENDPOINT_LISTEN && rv_str_equal(port, RV_STR("*")))
		return true;
	if (!port.bytes || port.bytes > 5)
		return false;
	for (size_t i = 0; i < port.bytes; i++) {
		if (port.at[i] < '0' || port.at[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(port.at[i] - '0');
	}
	return number >= 1 && number <= 65535;
}

int net_endpoint_check(struct rv_str endpoint, enum net_endpoint_use use, struct rv_err *err)
{
	struct rv_str rest = rv_str(endpoint.at + 6, endpoint.bytes < 6 ? 0 : endpoint.bytes - 6);
	size_t colon = rest.bytes;

	if (endpoint.bytes > NET_ENDPOINT_BYTES_MAX)
		(void)rv_fail(err, RV_E_LIMIT, "an endpoint has %zu bytes; the limit is %u", endpoint.bytes, NET_ENDPOINT_BYTES_MAX);
	else if (endpoint.bytes < 6 || memcmp(endpoint.at, "tcp://", 6) != 0)
		(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" is not a tcp:// endpoint", RV_STR_ARGS(endpoint));
	else {
		while (colon > 0 && rest.at[colon - 1] != ':')
			colon--;
		if (colon == 0)
			(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" has no port", RV_STR_ARGS(endpoint));
		else if (!host_valid(rv_str(rest.at, colon - 1), use))
			(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" has no valid host", RV_STR_ARGS(endpoint));
		else if (!port_valid(rv_str(rest.at + colon, rest.bytes - colon), use))
			(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" has no valid port", RV_STR_ARGS(endpoint));
		else
			return 0;
	}
	return rv_hint(err, use == NET_ENDPOINT_LISTEN ? "tcp://HOST:PORT, HOST a name, an address, an IPv6 address in brackets or * for all, PORT 1 to 65535 or * for any free one"
						       : "tcp://HOST:PORT, HOST a name, an address or an IPv6 address in brackets, PORT 1 to 65535");
}
