/* endpoint.c - tcp endpoints: what they may look like, and which ones others can use (bus.h) */
#include "common/net/bus.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

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

/* "HOST:PORT", ":PORT" or "PORT" is an endpoint for which only the scheme was forgotten, or HOST of one that listens. */
bool net_endpoint_nearly(struct rv_str text, enum net_endpoint_use use, char out[NET_ENDPOINT_BYTES_MAX + 1])
{
	bool no_host = text.bytes && text.at[0] == ':', port_only = use == NET_ENDPOINT_LISTEN && text.bytes && port_valid(text, NET_ENDPOINT_CONNECT);
	int n;

	if (text.bytes >= 6 && memcmp(text.at, "tcp://", 6) == 0)
		return false;
	n = snprintf(out, NET_ENDPOINT_BYTES_MAX + 1, "tcp://%s%.*s", port_only ? "*:" : no_host && use == NET_ENDPOINT_LISTEN ? "*" : "",
		     (int)rv_min_u64(text.bytes, NET_ENDPOINT_BYTES_MAX), text.at);
	return n <= (int)NET_ENDPOINT_BYTES_MAX && net_endpoint_check(rv_str_of(out), use, NULL) == 0;
}

int net_endpoint_check(struct rv_str endpoint, enum net_endpoint_use use, struct rv_err *err)
{
	struct rv_str rest = rv_str(endpoint.at + 6, endpoint.bytes < 6 ? 0 : endpoint.bytes - 6);
	char nearly[NET_ENDPOINT_BYTES_MAX + 1];
	size_t colon = rest.bytes;

	if (endpoint.bytes > NET_ENDPOINT_BYTES_MAX)
		(void)rv_fail(err, RV_E_LIMIT, "an endpoint has %zu bytes; the limit is %u", endpoint.bytes, NET_ENDPOINT_BYTES_MAX);
	else if (endpoint.bytes < 6 || memcmp(endpoint.at, "tcp://", 6) != 0) {
		(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" is not a tcp:// endpoint", RV_STR_ARGS(endpoint));
		if (net_endpoint_nearly(endpoint, use, nearly))
			return rv_hint(err, "did you mean %s?", nearly);
	} else {
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

/* --- for others ------------------------------------------------------------------------------------------------------------ */

/* Where the host of "tcp://HOST:PORT" ends. */
static const char *port_colon(const char *endpoint)
{
	return strrchr(endpoint, ':');
}

static bool host_is(const char *endpoint, const char *host)
{
	size_t bytes = strlen(host);

	return strncmp(endpoint + 6, host, bytes) == 0 && endpoint + 6 + bytes == port_colon(endpoint);
}

/* Another machine can use this interface's address as it is: up, not the machine's own, and no IPv6 address that needs a zone. */
static bool usable(const struct ifaddrs *at, bool ipv6)
{
	if (!at->ifa_addr || !(at->ifa_flags & IFF_UP) || at->ifa_flags & IFF_LOOPBACK)
		return false;
	if (at->ifa_addr->sa_family == AF_INET)
		return true;
	return ipv6 && at->ifa_addr->sa_family == AF_INET6 &&
	       !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr);
}

static void put_address(const struct sockaddr *addr, const char *port, char out[NET_ENDPOINT_BYTES_MAX + 1])
{
	char text[INET6_ADDRSTRLEN];

	if (addr->sa_family == AF_INET)
		(void)snprintf(out, NET_ENDPOINT_BYTES_MAX + 1, "tcp://%s%s",
			       inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, text, sizeof text), port);
	else
		(void)snprintf(out, NET_ENDPOINT_BYTES_MAX + 1, "tcp://[%s]%s",
			       inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, text, sizeof text), port);
}

int net_endpoint_reachable(const char *listen, const char *bound, char out[][NET_ENDPOINT_BYTES_MAX + 1], uint32_t max, uint32_t *count,
			   struct rv_err *err)
{
	bool any6 = host_is(bound, "[::]"), any = any6 || host_is(bound, "0.0.0.0");
	const char *port = port_colon(bound);
	struct ifaddrs *all;

	*count = 0;
	if (!any) { /* a name stays a name: it may mean another address elsewhere */
		(void)snprintf(out[(*count)++], NET_ENDPOINT_BYTES_MAX + 1, "%.*s%s", (int)(port_colon(listen) - listen), listen, port);
		return 0;
	}
	if (getifaddrs(&all) < 0)
		return rv_fail_errno(err, errno, "cannot list this machine's addresses");
	for (const struct ifaddrs *at = all; at && *count < max; at = at->ifa_next)
		if (usable(at, any6))
			put_address(at->ifa_addr, port, out[(*count)++]);
	freeifaddrs(all);
	if (*count == 0) /* a machine without a network has itself */
		(void)snprintf(out[(*count)++], NET_ENDPOINT_BYTES_MAX + 1, "tcp://127.0.0.1%s", port);
	return 0;
}
