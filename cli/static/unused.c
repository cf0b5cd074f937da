/* unused.c - what libzmq.a and libczmq.a name and reeve never reaches
 *
 * Debian's libzmq can speak GSSAPI, PGM and NORM, and czmq can be started by systemd. Linked as shared libraries they bring
 * along some twenty more that take 2 ms to load before the first unit starts (docs/performance.md, "Start-up"). So
 * the release program links both statically and finds here what only those transports would call. pgm_init() is
 * the one that every zmq context calls; there it is true that nothing has to be initialised.
 *
 * Linked only with the static libraries (see the Makefile): beside the shared ones these names would shadow the real.
 */
#include "common/check.h"

/* The real ones have other parameters; nobody gets far enough to pass them. */
#define UNUSED(name)                                                                               \
	long name(void);                                                                           \
	long name(void)                                                                            \
	{                                                                                          \
		rv_check_failed(#name "() is linked but not used", __FILE__, __LINE__);            \
	}

#define ANSWERS(name, answer)                                                                      \
	long name(void);                                                                           \
	long name(void)                                                                            \
	{                                                                                          \
		return answer;                                                                     \
	}

ANSWERS(pgm_init, 1)
ANSWERS(pgm_shutdown, 1)
UNUSED(pgm_bind3)
UNUSED(pgm_close)
UNUSED(pgm_connect)
UNUSED(pgm_error_free)
UNUSED(pgm_free)
UNUSED(pgm_freeaddrinfo)
UNUSED(pgm_getaddrinfo)
UNUSED(pgm_getsockopt)
UNUSED(pgm_gsi_create_from_data)
UNUSED(pgm_recvmsgv)
UNUSED(pgm_send)
UNUSED(pgm_setsockopt)
UNUSED(pgm_socket)

UNUSED(gss_accept_sec_context)
UNUSED(gss_acquire_cred)
UNUSED(gss_delete_sec_context)
UNUSED(gss_display_name)
UNUSED(gss_import_name)
UNUSED(gss_init_sec_context)
UNUSED(gss_release_buffer)
UNUSED(gss_release_cred)
UNUSED(gss_release_name)
UNUSED(gss_unwrap)
UNUSED(gss_wrap)

extern const void *const GSS_C_NT_USER_NAME, *const GSS_C_NT_HOSTBASED_SERVICE;
const void *const GSS_C_NT_USER_NAME = 0, *const GSS_C_NT_HOSTBASED_SERVICE = 0;

UNUSED(NormCreateInstance)
UNUSED(NormCreateSession)
UNUSED(NormDestroyInstance)
UNUSED(NormDestroySession)
UNUSED(NormGetDescriptor)
UNUSED(NormGetNextEvent)
UNUSED(NormGetRandomSessionId)
UNUSED(NormIsUnicastAddress)
UNUSED(NormNodeDelete)
UNUSED(NormObjectGetType)
UNUSED(NormObjectGetUserData)
UNUSED(NormObjectSetUserData)
UNUSED(NormSetCongestionControl)
UNUSED(NormSetDefaultSyncPolicy)
UNUSED(NormSetDefaultUnicastNack)
UNUSED(NormSetLoopback)
UNUSED(NormSetMulticastInterface)
UNUSED(NormSetRxPortReuse)
UNUSED(NormSetTTL)
UNUSED(NormStartReceiver)
UNUSED(NormStartSender)
UNUSED(NormStopInstance)
UNUSED(NormStopReceiver)
UNUSED(NormStopSender)
UNUSED(NormStreamFlush)
UNUSED(NormStreamOpen)
UNUSED(NormStreamRead)
UNUSED(NormStreamSeekMsgStart)
UNUSED(NormStreamWrite)

extern const void *const NORM_INSTANCE_INVALID, *const NORM_SESSION_INVALID, *const NORM_OBJECT_INVALID;
extern const unsigned int NORM_NODE_ANY, NORM_NODE_NONE;
const void *const NORM_INSTANCE_INVALID = 0, *const NORM_SESSION_INVALID = 0, *const NORM_OBJECT_INVALID = 0;
const unsigned int NORM_NODE_ANY = ~0u, NORM_NODE_NONE = 0;

/* No socket was handed over by systemd. */
ANSWERS(sd_listen_fds, 0)
ANSWERS(sd_is_socket_inet, 0)
ANSWERS(sd_is_socket_unix, 0)
