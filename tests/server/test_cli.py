from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.admission import Grant, LinkTokens
from server.cli import main

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 30.0

Run = Callable[..., tuple[int, str, str]]


def environment(**variables: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if "HOLDSPACE" not in name}
    return {**ours, "PYTHONPATH": str(ROOT), **variables}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command to its end in a folder of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str, **variables: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            try:
                code = main(arguments)
            except SystemExit as exit_:
                code = int(str(exit_.code))
        output, errors = capsys.readouterr()
        return code, output, errors

    return run_command


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "server", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_demo_prints_links_that_work_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--port=0") as process:
        assert process.stdout is not None
        links: dict[str, str] = {}
        for line in process.stdout:
            if match := re.match(r" +(facilitator|participant) +(\S+)$", line):
                links[match[1]] = match[2]
            if "Ctrl-C" in line:
                break
        assert set(links) == {"facilitator", "participant"}
        base = links["participant"].partition("/room/")[0]
        assert base.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{base}/readyz", timeout=TIMEOUT_S) as response:
            assert response.status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, errors) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_demo_has_simulated_company_and_takes_it_away_again(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--port=0", "--people=3") as process:
        assert process.stdout is not None
        base = ""
        for line in process.stdout:
            if match := re.search(r"(http://127\.0\.0\.1:\d+)/room/", line):
                base = match[1]
            if "Ctrl-C" in line:
                break
        deadline = time.monotonic() + 30
        while True:
            with urllib.request.urlopen(f"{base}/metrics", timeout=TIMEOUT_S) as response:
                if "\nholdspace_participants 3.0\n" in response.read().decode():
                    break
            assert time.monotonic() < deadline, "three people in the room"
            time.sleep(0.2)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 1
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, errors) == (0, "")
        assert not Path(f"/proc/{children[0]}").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_in_order(tmp_path: Path, how: signal.Signals) -> None:
    flags = ("--port=0", "--media-port=0", "--media-bind=127.0.0.1")
    with started(tmp_path, "serve", *flags) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert '"started"' in first
        process.send_signal(how)
        _, errors = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        assert '"stopped"' in errors
        assert "Traceback" not in errors


def test_wrong_settings_end_in_one_sentence(run: Run) -> None:
    for arguments, variables, named in (
        (["--port=x"], {}, "--port"),
        ([], {"HOLDSPACE_PORTS": "1"}, "HOLDSPACE_PORTS"),
        (["--config=none.toml"], {}, "none.toml"),
        (["--host=192.0.2.77", "--media-port=0", "--port=0"], {}, "settings host and port"),
        (["--media-bind=192.0.2.77", "--port=0"], {}, "media_bind"),
    ):
        code, _, errors = run("serve", *arguments, **variables)
        assert code == 2
        (sentence,) = errors.splitlines()
        assert sentence.startswith("holdspace: ")
        assert named in sentence


def test_taken_ports_are_named(run: Run) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        common = ("serve", "--media-bind=127.0.0.1")
        code, _, errors = run(*common, f"--port={tcp.getsockname()[1]}", "--media-port=0")
        assert (code, "settings host and port" in errors) == (2, True)
        code, _, errors = run(*common, "--port=0", f"--media-port={udp.getsockname()[1]}")
        assert (code, "media_port" in errors) == (2, True)
        assert "Traceback" not in errors


def test_link_is_made_with_the_kept_secret(run: Run, tmp_path: Path) -> None:
    arguments = ("link", "--room=tuesday", "--role=facilitator")
    code, link, _ = run(*arguments, HOLDSPACE_PUBLIC_URL="https://groups.example.org")
    assert code == 0
    base, _, token = link.strip().partition("#")
    assert base == "https://groups.example.org/room/tuesday"
    secret = (tmp_path / "data" / "secret").read_text().strip()
    assert LinkTokens(secret).admit("tuesday", token) == Grant("facilitator")


def test_room_that_cannot_be(run: Run) -> None:
    code, output, errors = run("link", "--room=Not A Room", "--role=facilitator")
    assert (code, output) == (2, "")
    assert "name for a room" in errors


def test_help_explains_every_setting(run: Run) -> None:
    code, text, _ = run("serve", "--help")
    assert code == 0
    for flag in ("--host", "--media-announce", "--room-capacity", "--log-level"):
        assert flag in text
    assert "metrics_token" in text
    assert "--secret" not in text
