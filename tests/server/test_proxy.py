from __future__ import annotations

from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from server.proxy import client_address


@pytest.mark.parametrize(
    ("remote", "forwarded", "counted"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # not from a proxy of ours
        ("127.0.0.1", None, None),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("::1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("::1", "unknown", None),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("::1", "2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", None, "fe80::/64"),
    ],
)
def test_who_is_counted_as_one(remote: str, forwarded: str | None, counted: str | None) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    transport = Mock()
    transport.get_extra_info.return_value = (remote, 1)
    request = make_mocked_request("GET", "/", headers=headers, transport=transport)
    assert client_address(request) == counted
