// What the Swift binding sees of libzmq.
#pragma once
#include <errno.h>
#include <zmq.h>
