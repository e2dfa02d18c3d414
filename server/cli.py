"""The command line: ``holdspace serve``, ``holdspace demo`` and ``holdspace link``."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from server.accounts import invitations
from server.accounts.links import Site
from server.admission import LinkTokens
from server.app import RunningServer, running
from server.links import Links
from server.log import configure_logging
from server.operations import Premises, add_commands
from server.secret import server_secret
from server.services import keyring_of
from server.settings import SECRET_KEYS, Settings, SettingsError, load_settings

DEMO_ROOM = "demo"
MAX_SIMULATED = 10
"""Leaves two places for those who look at the demo."""
_SIMULATED_STOP_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    arguments = vars(_parser().parse_args(argv))
    command: Callable[[dict[str, Any]], int] = arguments.pop("command")
    try:
        return command(arguments)
    except SettingsError as error:
        print(f"holdspace: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def serve(arguments: dict[str, Any]) -> int:
    settings = load_settings(_flags(arguments), file=arguments["config"])
    configure_logging(settings.log_level)
    asyncio.run(_run(settings, _watched_by_its_log))
    return 0


def demo(arguments: dict[str, Any]) -> int:
    """Run on loopback with a throw-away secret, and print links."""
    people = arguments["people"]
    if people and importlib.util.find_spec("mls_rs_uniffi") is None:
        print(
            "holdspace: Simulated people need more packages: pip install 'holdspace[demo]'.",
            file=sys.stderr,
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="holdspace-demo-") as folder:
        settings = Settings(
            host="127.0.0.1",
            port=arguments["port"],
            data_dir=Path(folder),
            media_bind=["127.0.0.1"],
            media_port=0,
            log_level="warning",
        )
        if people:  # they know no other
            settings = settings.model_copy(
                update={"ciphersuite": "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"}
            )
        configure_logging(settings.log_level)
        asyncio.run(_run(settings, lambda server: _demo(server, people)))
    return 0


def link(arguments: dict[str, Any]) -> int:
    settings = load_settings(_flags(arguments), file=arguments["config"])
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    links = Links(
        settings.public_url or f"http://{host}:{settings.port}",
        LinkTokens(server_secret(settings)),
        timedelta(hours=settings.link_hours),
    )
    try:
        print(links.to(arguments["room"], arguments["role"]))
    except ValueError as error:
        print(f"holdspace: This is no name for a room: {error}.", file=sys.stderr)
        return 2
    return 0


def _premises(arguments: Mapping[str, Any]) -> Premises:
    settings = load_settings(_flags(arguments), file=arguments["config"])
    url = settings.database_url
    return Premises(
        data_dir=settings.data_dir,
        database_url=None if url is None else url.get_secret_value(),
        keyring=keyring_of(settings),
        base_url=settings.public_url or f"http://localhost:{settings.port}",
    )


async def _run(
    settings: Settings, meanwhile: Callable[[RunningServer], AbstractAsyncContextManager[None]]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as server, meanwhile(server):
        await stop.wait()


@asynccontextmanager
async def _watched_by_its_log(_: RunningServer) -> AsyncIterator[None]:
    """`serve` says nothing by itself; there are its log and /readyz."""
    yield


@asynccontextmanager
async def _demo(server: RunningServer, people: int) -> AsyncIterator[None]:
    company = (
        f"""{people} simulated people come into the room. They talk by turns, interrupt now and
then, raise their hands, and may ask for help."""
        if people
        else """The participant's link works for several people at once, each in their own tab."""
    )
    print(
        f"""
Holdspace is running. Open these links in browsers on this machine:

  facilitator  {server.links.to(DEMO_ROOM, "facilitator")}

  participant  {server.links.to(DEMO_ROOM, "participant")}

{company}
Press Ctrl-C to stop.
""",
        flush=True,
    )
    if not people:
        yield
        return
    # In a process of their own: the server is to be as quick as it is without them.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulated",
        server.links.to(DEMO_ROOM, "participant"),
        f"--people={people}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the server, which then ends them
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_SIMULATED_STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdspace", description="Group video rooms on your own server."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    described = commands.add_parser(
        "serve",
        help="run the server",
        description="Run the server until Ctrl-C or SIGTERM. A setting is taken from its flag, or "
        "else from the environment variable HOLDSPACE_ and its name in capitals, or else from the "
        "settings file.",
    )
    described.set_defaults(command=serve)
    _add_settings(described)

    described = commands.add_parser(
        "demo",
        help="try it on this machine",
        description="Run the server on loopback only, and print links to a room. Nothing is kept.",
    )
    described.set_defaults(command=demo)
    described.add_argument(
        "--port", type=_port, default=8080, help="TCP port; 0 takes any (default: 8080)"
    )
    described.add_argument(
        "--people",
        type=int,
        choices=range(MAX_SIMULATED + 1),
        metavar="N",
        default=0,
        help=f"simulated people in the room, up to {MAX_SIMULATED} (default: 0)",
    )

    described = commands.add_parser(
        "link",
        help="print a link into a room",
        description="Print a link that admits whoever has it to a room of the server that has the "
        "same settings.",
    )
    described.set_defaults(command=link)
    described.add_argument("--room", required=True, help="the room's name, such as tuesday-circle")
    described.add_argument("--role", required=True, choices=["participant", "facilitator"])
    _add_settings(described, only={"host", "port", "public_url", "data_dir", "link_hours"})
    add_commands(
        commands,
        premises=_premises,
        add_settings=lambda described: _add_settings(
            described, only={"data_dir", "public_url", "port", "keyring_file"}
        ),
        invite=invitations.create_first_administrator,
        link=lambda url, token: Site(url).invitation(token),
    )
    return parser


def _add_settings(parser: argparse.ArgumentParser, only: set[str] | None = None) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file (default: what HOLDSPACE_CONFIG names, or config/holdspace.toml)",
    )
    group = parser.add_argument_group("settings")
    for key, field in Settings.model_fields.items():
        if key in SECRET_KEYS or (only is not None and key not in only):
            continue
        default = field.default
        shown = ",".join(default) if isinstance(default, list) else default
        text = (field.description or "") + ("" if default is None else f" (default: {shown})")
        group.add_argument(
            f"--{key.replace('_', '-')}",
            dest=f"setting_{key}",
            metavar="LIST" if isinstance(default, list) or key == "media_announce" else "VALUE",
            help=text.replace("%", "%%"),
        )
    if only is None:
        group.description = "; ".join(
            f"{key} is only read from the environment or the file: "
            f"{Settings.model_fields[key].description}"
            for key in sorted(SECRET_KEYS, reverse=True)
        )


def _flags(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix("setting_"): value
        for name, value in arguments.items()
        if name.startswith("setting_") and value is not None
    }


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)
