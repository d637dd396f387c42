#ifndef SWIFT_PEER_COPENSSL_H
#define SWIFT_PEER_COPENSSL_H
// What Cryptography uses of OpenSSL 3. Only macros that Swift cannot import get a wrapper here.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#endif
