"""A connection from rank 0 to every other rank, beside the collectives."""

import os
import secrets
import socket
import time

from mmengine.dist import broadcast_object_list, get_dist_info

from .ranks import waiting_group

TOKEN = 16  # bytes
# Seconds of silence before a machine is asked for a sign of life, between
# two such questions, and how many of them may stay unanswered.
KEEPALIVE = {'TCP_KEEPIDLE': 20, 'TCP_KEEPINTVL': 5, 'TCP_KEEPCNT': 5}


def connect_peers(seconds: float) -> dict[int, socket.socket]:
    """Connects rank 0, at ``MASTER_ADDR``, with all others.

    Collective. No rank returns before all are connected. A peer that ends,
    in whatever way, shows at once in its connection.

    Args:
        seconds (float): How long to wait for the others.

    Returns:
        dict: A connection for every rank on rank 0, for rank 0 elsewhere.

    Raises:
        OSError: A rank did not come in time.
        RuntimeError: The collective failed.
    """
    rank, world_size = get_dist_info()
    if rank:
        return {0: _call(rank, seconds)}
    with _server() as server:
        token = secrets.token_bytes(TOKEN)
        _share([server.getsockname()[1], token])
        peers = _answer(server, world_size - 1, token, seconds)
    for peer in peers.values():
        peer.sendall(b'!')
    return peers


def _share(meeting: list[int | bytes | None]) -> list[int | bytes | None]:
    broadcast_object_list(meeting, group=waiting_group())
    return meeting


def _server() -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ('', 0), family=socket.AF_INET6, dualstack_ipv6=True
        )
    return socket.create_server(('', 0))


def _call(rank: int, seconds: float) -> socket.socket:
    port, token = _share([None, None])
    assert isinstance(port, int) and isinstance(token, bytes)
    address = os.environ['MASTER_ADDR'], port
    peer = socket.create_connection(address, timeout=seconds)
    peer.sendall(token + rank.to_bytes(4, 'big'))
    if _receive(peer, 1) != b'!':
        raise OSError('rank 0 went away')
    return _lasting(peer)


def _answer(
    server: socket.socket, ranks: int, token: bytes, seconds: float
) -> dict[int, socket.socket]:
    end = time.monotonic() + seconds
    peers: dict[int, socket.socket] = {}
    while len(peers) < ranks:
        server.settimeout(max(0.01, end - time.monotonic()))
        peer, _ = server.accept()
        peer.settimeout(10)
        try:
            said = _receive(peer, TOKEN + 4)
        except OSError:
            said = b''
        if len(said) < TOKEN + 4 or said[:TOKEN] != token:  # not one of ours
            peer.close()
            continue
        peers[int.from_bytes(said[TOKEN:], 'big')] = _lasting(peer)
    return peers


def _receive(peer: socket.socket, size: int) -> bytes:
    said = b''
    while len(said) < size:
        more = peer.recv(size - len(said))
        if not more:
            break
        said += more
    return said


def _lasting(peer: socket.socket) -> socket.socket:
    """Open without limit, but not to a machine that is gone."""
    peer.settimeout(None)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # macOS lacks one
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return peer
