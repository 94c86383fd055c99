// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// Removes the clsact qdisc of a device if no filter is on it, in the calling thread's network namespace. The
// kernel cannot do both in one step: a filter that somebody adds in between goes with it.
void RemoveUnusedClsact(uint32_t ifindex);
