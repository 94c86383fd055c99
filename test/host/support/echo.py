# Requests and responses over UDP, each counted.
#
#     echo.py serve ADDRESS PORT             sends every datagram back, until it is killed
#     echo.py ask SECONDS SIZES TARGET...    a flow to each TARGET (address:port): one request at a time, which cycles
#                                            through SIZES (bytes, commas between), the next when the response is here.
#                                            No request is repeated. Prints JSON: per flow how many were sent and
#                                            answered, how many responses came twice or late, and the longest wait.
#
# Datagrams go without DF: what does not fit is for routers to cut. A flow without a response for 5 seconds counts the
# request as lost and goes on.
import json
import select
import socket
import struct
import sys
import time

IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
PATIENCE = 5.0
HEADER = struct.Struct("!IId")


def udp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return sock


def serve(address, port):
    sock = udp()
    sock.bind((address, int(port)))
    print("ready", flush=True)
    while True:
        data, sender = sock.recvfrom(65535)
        sock.sendto(data, sender)


class Flow:
    def __init__(self, number, target, sizes):
        address, port = target.split(":")
        self.target, self.number, self.sizes = target, number, sizes
        self.sock = udp()
        self.sock.connect((address, int(port)))
        self.sock.setblocking(False)
        self.sent = self.answered = self.lost = self.strays = 0
        self.longest = 0.0
        self.ask()

    def ask(self):
        size = max(self.sizes[self.sent % len(self.sizes)], HEADER.size)
        self.sent += 1
        self.asked = time.monotonic()
        self.request = HEADER.pack(self.number, self.sent, 0.0).ljust(size, b"x")
        self.sock.send(self.request)

    def answer(self, goes_on):
        response = self.sock.recv(65535)
        if response != self.request:
            self.strays += 1
            return
        self.answered += 1
        self.longest = max(self.longest, time.monotonic() - self.asked)
        self.request = None
        if goes_on:
            self.ask()

    def give_up(self, now, goes_on):
        if self.request is None or now - self.asked < PATIENCE:
            return
        self.lost += 1
        self.request = None
        if goes_on:
            self.ask()

    def report(self):
        return {
            "target": self.target,
            "sent": self.sent,
            "answered": self.answered,
            "lost": self.lost,
            "strays": self.strays,
            "longestMs": 1000 * self.longest,
        }


def ask(seconds, sizes, *targets):
    sizes = [int(size) for size in sizes.split(",")]
    flows = [Flow(number, target, sizes) for number, target in enumerate(targets)]
    end = time.monotonic() + float(seconds)
    poll = select.epoll()
    by_fd = {flow.sock.fileno(): flow for flow in flows}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    while any(flow.request for flow in flows):
        for fd, _ in poll.poll(0.1):
            by_fd[fd].answer(time.monotonic() < end)
        now = time.monotonic()
        for flow in flows:
            flow.give_up(now, now < end)
    print(json.dumps([flow.report() for flow in flows]))


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
