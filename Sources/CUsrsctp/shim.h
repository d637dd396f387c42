#ifndef SWIFT_PEER_CUSRSCTP_H
#define SWIFT_PEER_CUSRSCTP_H
// What Engines uses of usrsctp. Only macros, variadic functions and unions that Swift cannot import get a wrapper.
#include <usrsctp.h>
#endif
