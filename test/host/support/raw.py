# Sends what no ordinary program sends, byte by byte.
#
#     raw.py udp ADDRESS PORT HEX            one datagram
#     raw.py frame DEVICE HEX [COUNT [TYPE]] an Ethernet frame as it is; TYPE: what the sender says that it is
#     raw.py tap DEVICE                      makes a tap and has frames received by it, each with 14 linear bytes and
#                                            the rest in pages, as virtio-net hands big packets over. Lines of standard
#                                            input: "HEX KIND SIZE COUNT". KIND tcp4 or tcp6: an aggregate of segments
#                                            of SIZE bytes; none: a plain packet. Its checksums are whole: with a
#                                            pending one the kernel would pull the headers.
import fcntl
import os
import socket
import struct
import subprocess
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NAPI, IFF_NAPI_FRAGS, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x10, 0x20, 0x1000, 0x4000
GSO = {"none": 0, "tcp4": 1, "tcp6": 4}
LINEAR, PAGE = 14, 4096


def udp(address, port, data):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socket.socket(family, socket.SOCK_DGRAM).sendto(bytes.fromhex(data), (address, int(port)))


def frame(device, data, count="1", type="0"):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    for _ in range(int(count)):
        sock.sendto(bytes.fromhex(data), (device, int(type, 16)))


def tap(device):
    file = os.open("/dev/net/tun", os.O_RDWR)
    flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_NAPI | IFF_NAPI_FRAGS
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), flags))
    subprocess.run(["ethtool", "-K", device, "gro", "off"], check=True)  # it would pull the headers together
    print("ready", flush=True)
    for line in sys.stdin:
        data, kind, size, count = line.split()
        packet = bytes.fromhex(data)
        header = struct.pack("=BBHHHH", 0, GSO[kind], 0, int(size), 0, 0)
        pages = [packet[at : at + PAGE] for at in range(LINEAR, len(packet), PAGE)]
        for _ in range(int(count)):
            os.writev(file, [header, packet[:LINEAR], *pages])
        print("sent", flush=True)


{"udp": udp, "frame": frame, "tap": tap}[sys.argv[1]](*sys.argv[2:])
