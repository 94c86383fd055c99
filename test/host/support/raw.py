# Sends what no ordinary program sends, byte by byte.
#
#     raw.py udp ADDRESS PORT HEX            one datagram
#     raw.py frame DEVICE HEX [COUNT]        an Ethernet frame as it is
#     raw.py gso DEVICE HEX SIZE START OFFSET [COUNT]
#         a TCP aggregate to be cut into segments of SIZE bytes. Its checksum field, OFFSET bytes behind START, is
#         pending. All but the first bytes of it are in pages, as virtio-net hands packets over.
import socket
import struct
import sys

SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CSUM, GSO_TCP4, GSO_TCP6 = 1, 1, 4


def device_socket(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    sock.bind((device, 0))
    return sock


def udp(address, port, data):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socket.socket(family, socket.SOCK_DGRAM).sendto(bytes.fromhex(data), (address, int(port)))


def frame(device, data, count="1"):
    sock = device_socket(device)
    for _ in range(int(count)):
        sock.send(bytes.fromhex(data))


def gso(device, data, size, start, offset, count="1"):
    sock = device_socket(device)
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    packet = bytes.fromhex(data)
    kind = GSO_TCP6 if packet[12:14] == b"\x86\xdd" else GSO_TCP4
    # The length of the headers is a hint; the kernel makes as many bytes linear as it says.
    header = struct.pack("=BBHHHH", NEEDS_CSUM, kind, 14, int(size), int(start), int(offset))
    for _ in range(int(count)):
        sock.send(header + packet)


{"udp": udp, "frame": frame, "gso": gso}[sys.argv[1]](*sys.argv[2:])
