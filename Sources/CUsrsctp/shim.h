#ifndef SWIFT_PEER_CUSRSCTP_H
#define SWIFT_PEER_CUSRSCTP_H
// What Engines uses of usrsctp. Only what Swift cannot import (variadic functions, unions, structures that end in an
// array, macros) gets a wrapper, and CRC32C by the processor. Wrappers that can fail return -errno.
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <usrsctp.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

// An address of AF_CONN is an opaque number to usrsctp: it is compared and hashed, never followed.
static inline struct sockaddr_conn swiftpeer_sctp_address(uintptr_t id, uint16_t port) {
    struct sockaddr_conn address;
    memset(&address, 0, sizeof address);
#ifdef HAVE_SCONN_LEN
    address.sconn_len = sizeof address;
#endif
    address.sconn_family = AF_CONN;
    address.sconn_port = htons(port);
    address.sconn_addr = (void *)id;
    return address;
}

// usrsctp_init_nothreads takes a variadic function.
static inline void swiftpeer_sctp_init(int (*output)(void *, void *, size_t, uint8_t, uint8_t)) {
    usrsctp_init_nothreads(0, output, 0);
}

static inline int swiftpeer_sctp_bind(struct socket *so, uintptr_t id, uint16_t port) {
    struct sockaddr_conn address = swiftpeer_sctp_address(id, port);
    return usrsctp_bind(so, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
}

// 0 also when the handshake has merely begun.
static inline int swiftpeer_sctp_connect(struct socket *so, uintptr_t id, uint16_t port) {
    struct sockaddr_conn address = swiftpeer_sctp_address(id, port);
    if (usrsctp_connect(so, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS) return 0;
    return -errno;
}

static inline int swiftpeer_sctp_set(struct socket *so, int level, int option, int value) {
    return usrsctp_setsockopt(so, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

// Closing then means ABORT, at once.
static inline int swiftpeer_sctp_set_linger(struct socket *so) {
    struct linger linger = {1, 0};
    return usrsctp_setsockopt(so, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0 ? 0 : -errno;
}

static inline int swiftpeer_sctp_subscribe(struct socket *so, uint16_t type) {
    struct sctp_event event;
    memset(&event, 0, sizeof event);
    event.se_assoc_id = SCTP_ALL_ASSOC;
    event.se_type = type;
    event.se_on = 1;
    return usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event) == 0 ? 0 : -errno;
}

static inline int swiftpeer_sctp_allow_reconfiguration(struct socket *so) {
    struct sctp_assoc_value value;
    memset(&value, 0, sizeof value);
    value.assoc_id = SCTP_ALL_ASSOC;
    value.assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ;
    return usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &value, sizeof value) == 0 ? 0 : -errno;
}

static inline int swiftpeer_sctp_set_streams(struct socket *so, uint16_t outbound, uint16_t most_inbound) {
    struct sctp_initmsg init;
    memset(&init, 0, sizeof init);
    init.sinit_num_ostreams = outbound;
    init.sinit_max_instreams = most_inbound;
    return usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init) == 0 ? 0 : -errno;
}

// The largest packet without the common header, never probed for; and no heartbeats.
static inline int swiftpeer_sctp_set_path(struct socket *so, uintptr_t id, uint16_t port, uint32_t mtu) {
    struct sctp_paddrparams path;
    struct sockaddr_conn address = swiftpeer_sctp_address(id, port);
    memset(&path, 0, sizeof path);
    memcpy(&path.spp_address, &address, sizeof address);
    path.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_DISABLE;
    path.spp_pathmtu = mtu;
    return usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path) == 0 ? 0 : -errno;
}

// The bytes taken: all, or -errno.
static inline ssize_t swiftpeer_sctp_send(
    struct socket *so, const void *bytes, size_t count, uint16_t stream, uint32_t payload_protocol, uint16_t flags,
    uint16_t policy, uint32_t policy_value) {
    struct sctp_sendv_spa spa;
    ssize_t taken;
    memset(&spa, 0, sizeof spa);
    spa.sendv_flags = SCTP_SEND_SNDINFO_VALID;
    spa.sendv_sndinfo.snd_sid = stream;
    spa.sendv_sndinfo.snd_ppid = htonl(payload_protocol);
    spa.sendv_sndinfo.snd_flags = flags;
    if (policy != SCTP_PR_SCTP_NONE) {
        spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        spa.sendv_prinfo.pr_policy = policy;
        spa.sendv_prinfo.pr_value = policy_value;
    }
    taken = usrsctp_sendv(so, bytes, count, 0, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0);
    return taken >= 0 ? taken : -errno;
}

// After how many packets with data the next acknowledgement leaves at the latest.
static inline int swiftpeer_sctp_set_acknowledgement(struct socket *so, uint32_t packets) {
    struct sctp_sack_info info;
    memset(&info, 0, sizeof info);
    info.sack_freq = packets;
    return usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_DELAYED_SACK, &info, sizeof info) == 0 ? 0 : -errno;
}

// A socket's callback for what it receives; NULL: messages stay in its buffer, and the window closes. Not in usrsctp.h,
// which can only set it when the socket is made, but a symbol of the library since that has callbacks.
typedef int swiftpeer_sctp_callback(
    struct socket *, union sctp_sockstore, void *, size_t, struct sctp_rcvinfo, int, void *);
extern int register_recv_cb(struct socket *, swiftpeer_sctp_callback *);

static inline int swiftpeer_sctp_set_callback(struct socket *so, swiftpeer_sctp_callback *callback) {
    return register_recv_cb(so, callback) == 1 ? 0 : -EINVAL;
}

// Asks for what swiftpeer_sctp_receive tells of a message.
static inline int swiftpeer_sctp_tell_messages(struct socket *so) {
    return swiftpeer_sctp_set(so, IPPROTO_SCTP, SCTP_RECVRCVINFO, 1);
}

// The bytes of the next message in the socket's buffer, or -errno. It must have no callback.
static inline ssize_t swiftpeer_sctp_receive(
    struct socket *so, void *bytes, size_t room, struct sctp_rcvinfo *info, int *flags) {
    struct sockaddr_conn from;
    socklen_t from_length = sizeof from;
    socklen_t info_length = sizeof *info;
    unsigned int kind = SCTP_RECVV_NOINFO;
    ssize_t count;
    memset(info, 0, sizeof *info);
    *flags = 0;
    count = usrsctp_recvv(so, bytes, room, (struct sockaddr *)&from, &from_length, info, &info_length, &kind, flags);
    return count >= 0 ? count : -errno;
}

// How many streams one call of swiftpeer_sctp_reset takes.
#define SWIFTPEER_SCTP_RESETS 64

static inline int swiftpeer_sctp_reset(struct socket *so, const uint16_t *streams, uint16_t count) {
    struct {
        struct sctp_reset_streams reset;
        uint16_t streams[SWIFTPEER_SCTP_RESETS];
    } request;
    if (count == 0 || count > SWIFTPEER_SCTP_RESETS) return -EINVAL;
    memset(&request, 0, sizeof request);
    request.reset.srs_assoc_id = SCTP_ALL_ASSOC;
    request.reset.srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request.reset.srs_number_streams = count;
    memcpy((char *)&request + offsetof(struct sctp_reset_streams, srs_stream_list), streams, count * sizeof *streams);
    return usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_RESET_STREAMS, &request, sizeof request) == 0 ? 0 : -errno;
}

static inline int swiftpeer_sctp_add(struct socket *so, uint16_t outbound, uint16_t inbound) {
    struct sctp_add_streams add;
    memset(&add, 0, sizeof add);
    add.sas_assoc_id = SCTP_ALL_ASSOC;
    add.sas_outstrms = outbound;
    add.sas_instrms = inbound;
    return usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_ADD_STREAMS, &add, sizeof add) == 0 ? 0 : -errno;
}

static inline int swiftpeer_sctp_status(struct socket *so, struct sctp_status *status) {
    socklen_t length = sizeof *status;
    memset(status, 0, sizeof *status);
    return usrsctp_getsockopt(so, IPPROTO_SCTP, SCTP_STATUS, status, &length) == 0 ? 0 : -errno;
}

// CRC32C (RFC 9260 appendix A) of a packet of 16 bytes or more as it stands in its header, that field counted as zero;
// by the processor where it can.
#if defined(__x86_64__)
static inline int swiftpeer_sctp_sum_by_processor(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) && (c & bit_PCLMUL);
}

static inline uint64_t swiftpeer_word(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

// The sum of what was summed to `crc`, followed by as many zero bytes as `power` stands for: x^(8n - 33) mod the
// polynomial, bits reversed.
__attribute__((target("sse4.2,pclmul"))) static inline uint64_t swiftpeer_sctp_sum_shift(
    uint64_t crc, long long power) {
    typedef long long pair __attribute__((vector_size(16)));
    pair a = {(long long)crc, 0}, b = {power, 0};
    return __builtin_ia32_crc32di(0, (uint64_t)__builtin_ia32_pclmulqdq128(a, b, 0)[0]);
}

// The instruction takes three cycles and can begin each: three thirds of a full packet at a time.
#define SWIFTPEER_SCTP_THIRD 368

__attribute__((target("sse4.2,pclmul"))) static inline uint32_t swiftpeer_sctp_sum_processor(
    const void *packet, size_t count) {
    const uint8_t *p = (const uint8_t *)packet;
    uint64_t crc = __builtin_ia32_crc32di(0xffffffffu, swiftpeer_word(p));
    crc = __builtin_ia32_crc32di(crc, swiftpeer_word(p + 8) & 0xffffffff00000000u);
    p += 16;
    count -= 16;
    for (; count >= 3 * SWIFTPEER_SCTP_THIRD; count -= 3 * SWIFTPEER_SCTP_THIRD, p += 3 * SWIFTPEER_SCTP_THIRD) {
        uint64_t second = 0, third = 0;
        for (size_t i = 0; i < SWIFTPEER_SCTP_THIRD; i += 8) {
            crc = __builtin_ia32_crc32di(crc, swiftpeer_word(p + i));
            second = __builtin_ia32_crc32di(second, swiftpeer_word(p + SWIFTPEER_SCTP_THIRD + i));
            third = __builtin_ia32_crc32di(third, swiftpeer_word(p + 2 * SWIFTPEER_SCTP_THIRD + i));
        }
        crc = swiftpeer_sctp_sum_shift(crc, 0xb0cd4768) ^ swiftpeer_sctp_sum_shift(second, 0x61d82e56) ^ third;
    }
    for (; count >= 8; count -= 8, p += 8) crc = __builtin_ia32_crc32di(crc, swiftpeer_word(p));
    uint32_t rest = (uint32_t)crc;
    for (; count > 0; count--) rest = __builtin_ia32_crc32qi(rest, *p++);
    return ~rest;
}
#else
static inline int swiftpeer_sctp_sum_by_processor(void) { return 0; }
static inline uint32_t swiftpeer_sctp_sum_processor(const void *packet, size_t count) { return 0; }
#endif

// The longest packet that the portable way looks at.
#define SWIFTPEER_SCTP_PACKET 8192

// By the library's table, over a copy because it changes nothing of what it is given.
static inline uint32_t swiftpeer_sctp_sum_portable(const void *packet, size_t count) {
    uint8_t copy[SWIFTPEER_SCTP_PACKET];
    if (count > sizeof copy) return 0;
    memcpy(copy, packet, count);
    memset(copy + 8, 0, 4);
    return usrsctp_crc32c(copy, count);
}

// For fields of notifications, which Swift reads by offset: as a union it would read more than there is.
static inline size_t swiftpeer_sctp_reset_list_offset(void) {
    return offsetof(struct sctp_stream_reset_event, strreset_stream_list);
}
#endif
