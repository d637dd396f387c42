#ifndef SWIFT_PEER_CMALLOC_H
#define SWIFT_PEER_CMALLOC_H
// glibc's knobs of the allocator, which Swift's own Glibc module leaves out.
#include <malloc.h>
#endif
