#ifndef SWIFT_PEER_COPENSSL_H
#define SWIFT_PEER_COPENSSL_H
// What Cryptography and Engines use of OpenSSL 3. Only macros that Swift cannot import get a wrapper here.
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/time.h>

// Function-like macros.
static inline long swift_peer_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline long swift_peer_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_max_proto_version(context, version);
}
static inline long swift_peer_SSL_CTX_set1_groups_list(SSL_CTX *context, const char *list) {
    return SSL_CTX_set1_groups_list(context, list);
}
static inline long swift_peer_SSL_CTX_set1_sigalgs_list(SSL_CTX *context, const char *list) {
    return SSL_CTX_set1_sigalgs_list(context, list);
}
static inline long swift_peer_SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_set_session_cache_mode(context, mode);
}
static inline long swift_peer_SSL_CTX_set_max_cert_list(SSL_CTX *context, long bytes) {
    return SSL_CTX_set_max_cert_list(context, bytes);
}
static inline long swift_peer_SSL_CTX_set_max_send_fragment(SSL_CTX *context, long bytes) {
    return SSL_CTX_set_max_send_fragment(context, bytes);
}
static inline long swift_peer_SSL_set_mtu(SSL *ssl, long bytes) { return SSL_set_mtu(ssl, bytes); }
static inline long swift_peer_SSL_get_extms_support(SSL *ssl) { return SSL_get_extms_support(ssl); }
static inline long swift_peer_DTLSv1_get_timeout(SSL *ssl, struct timeval *left) {
    return DTLSv1_get_timeout(ssl, left);
}
static inline long swift_peer_DTLSv1_handle_timeout(SSL *ssl) { return DTLSv1_handle_timeout(ssl); }
static inline void swift_peer_BIO_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void swift_peer_BIO_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }

// Constants behind casts.
static const uint64_t swift_peer_SSL_OP_NO_QUERY_MTU = SSL_OP_NO_QUERY_MTU;
static const uint64_t swift_peer_SSL_OP_NO_TICKET = SSL_OP_NO_TICKET;
static const uint64_t swift_peer_SSL_OP_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
static const uint64_t swift_peer_SSL_OP_NO_COMPRESSION = SSL_OP_NO_COMPRESSION;
static const uint64_t swift_peer_SSL_OP_CIPHER_SERVER_PREFERENCE = SSL_OP_CIPHER_SERVER_PREFERENCE;
#endif
