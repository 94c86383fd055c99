/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bits of the IPv4 fragment field (RFC 791) that the kernel's public headers do not name. */
#ifndef PLAIT_IP_H
#define PLAIT_IP_H

#define IP_DF 0x4000
#define IP_OFFSET 0x1fff
#define IP_MF_OR_OFFSET 0x3fff

#endif
