#include "common/net/zap.h"

#include "common/id.h"
#include "common/net/socket.h"

#include <zmq.h>

/* Parts of a question, behind the routing id and the empty part that a ROUTER sees first. */
enum { VERSION, REQUEST, DOMAIN, ADDRESS, ROUTING, MECHANISM, CREDENTIAL, PARTS };
enum { PARTS_ALL = PARTS + 2 };

static bool part_is(zmq_msg_t *part, const char *text)
{
	return zmq_msg_size(part) == strlen(text) && memcmp(zmq_msg_data(part), text, strlen(text)) == 0;
}

int net_zap_open(struct net_zap *z, struct net_bus *bus, net_allow_fn *allow, void *arg, struct rv_err *err)
{
	static const char endpoint[] = "inproc://zeromq.zap.01";

	*z = (struct net_zap){ .allow = allow, .arg = arg };
	z->raw = net_socket_open(bus, ZMQ_ROUTER, NET_INPROC, endpoint, 0, 0, 0, err);
	if (!z->raw)
		return -1;
	if (zmq_bind(z->raw, endpoint) < 0) {
		(void)net_socket_fail(err, "cannot answer for keys at", endpoint);
		net_zap_close(z);
		return -1;
	}
	return 0;
}

void net_zap_close(struct net_zap *z)
{
	net_socket_close(&z->raw);
}

/* Any part that cannot be sent now means that the connection has gone meanwhile: nobody waits for the answer. */
static void reply(struct net_zap *z, zmq_msg_t *parts, const char *status, const char *text, const char *user)
{
	const char *version = "1.0";
	const struct {
		const void *at;
		size_t bytes;
	} out[] = {
		{ zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0]) },
		{ "", 0 },
		{ version, 3 },
		{ zmq_msg_data(&parts[2 + REQUEST]), zmq_msg_size(&parts[2 + REQUEST]) },
		{ status, 3 },
		{ text, strlen(text) },
		{ user, strlen(user) },
		{ "", 0 },
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(out); i++)
		if (zmq_send(z->raw, out[i].at, out[i].bytes, ZMQ_DONTWAIT | (i + 1 < RV_ARRAY_LEN(out) ? ZMQ_SNDMORE : 0)) < 0)
			return;
}

static void decide(struct net_zap *z, zmq_msg_t *parts, uint32_t count)
{
	char user[NET_KEY_HEX_CHARS + 1];
	uint8_t key[NET_KEY_BYTES];

	if (count < 2 + REQUEST + 1) { /* not even a number to answer to */
		z->malformed++;
		return;
	}
	if (!part_is(&parts[2 + VERSION], "1.0") || count < 2 + MECHANISM + 1) {
		z->malformed++;
		reply(z, parts, "500", "not a question of ZAP 1.0", "");
		return;
	}
	if (!part_is(&parts[2 + DOMAIN], NET_ZAP_DOMAIN) || !part_is(&parts[2 + MECHANISM], "CURVE") || count != PARTS_ALL ||
	    zmq_msg_size(&parts[2 + CREDENTIAL]) != NET_KEY_BYTES) {
		z->malformed++;
		reply(z, parts, "400", "a CURVE key is asked for", "");
		return;
	}
	memcpy(key, zmq_msg_data(&parts[2 + CREDENTIAL]), sizeof key);
	if (!z->allow(z->arg, key)) {
		z->refused++;
		reply(z, parts, "400", "unknown key", "");
		return;
	}
	z->let_in++;
	rv_hex(user, key, sizeof key);
	reply(z, parts, "200", "", user);
}

/* One question; 0: none waits. */
static int serve_one(struct net_zap *z)
{
	zmq_msg_t parts[PARTS_ALL];
	uint32_t count = 0;
	bool more = true, surplus = false;
	int got = 0;

	while (more && count < PARTS_ALL) {
		zmq_msg_init(&parts[count]);
		if (zmq_msg_recv(&parts[count], z->raw, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&parts[count]);
			break;
		}
		got = 1;
		more = zmq_msg_more(&parts[count]);
		count++;
	}
	if (got && more) {
		surplus = true;
		/* the last part kept is overwritten by the rest: its count says that it is not to be read */
		net_skip_rest(z->raw, &parts[count - 1]);
	}
	if (got)
		decide(z, parts, surplus ? PARTS_ALL - 1 : count);
	for (uint32_t i = 0; i < count; i++)
		zmq_msg_close(&parts[i]);
	return got;
}

void net_zap_serve(struct net_zap *z, uint32_t count)
{
	while (count-- > 0 && serve_one(z))
		continue;
}

int net_zap_user(void *zmq_msg, uint8_t key[NET_KEY_BYTES])
{
	const char *user = zmq_msg_gets(zmq_msg, "User-Id");

	return user ? rv_unhex(key, NET_KEY_BYTES, rv_str_of(user)) : -1;
}
