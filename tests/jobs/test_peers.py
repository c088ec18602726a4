"""Who is let in."""

import socket
import threading

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.jobs import peers

TOKEN = bytes(range(peers.TOKEN))


def test_strangers_are_turned_away():
    with peers._server() as server:
        port = server.getsockname()[1]
        callers = [
            socket.create_connection(('127.0.0.1', port)) for _ in range(4)
        ]
        callers[0].close()  # without a word
        callers[1].sendall(b'GET / HTTP/1.0\r\n\r\n....')
        for rank in (2, 1):
            callers[rank + 1].sendall(TOKEN + rank.to_bytes(4, 'big'))
        found = peers._answer(server, 2, TOKEN, 60)
    assert sorted(found) == [1, 2]
    for rank, peer in found.items():
        peer.sendall(b'!')
        assert callers[rank + 1].recv(1) == b'!'
        peer.close()
        assert callers[rank + 1].recv(1) == b''  # seen at once
    for caller in callers:
        caller.close()


def test_who_does_not_come_is_not_waited_for():
    with peers._server() as server, pytest.raises(TimeoutError):
        peers._answer(server, 1, TOKEN, 0.2)


def test_rank_0_that_goes_away(monkeypatch):
    with peers._server() as server:
        meeting = [server.getsockname()[1], TOKEN]
        monkeypatch.setattr(peers, '_share', lambda _: meeting)
        monkeypatch.setenv('MASTER_ADDR', 'localhost')

        def go():
            server.accept()[0].close()

        thread = threading.Thread(target=go)
        thread.start()
        with pytest.raises(OSError):
            peers._call(1, 60)
        thread.join()
