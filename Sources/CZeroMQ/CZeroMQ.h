// What the Swift binding sees of libzmq, and of the system to wake a poller.
#pragma once
#include <errno.h>
#include <sys/eventfd.h>
#include <zmq.h>

// 4.3.4 obeys this option but its header keeps it among the drafts.
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif
