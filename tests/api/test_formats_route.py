from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from server.api import routes_formats, routes_groups
from server.api.routes import PREFIX
from server.formats import shipped_formats
from server.settings import Settings
from tests.api.place import Place, place

ROUTES = [*routes_formats.ROUTES, *routes_groups.ROUTES]


async def formats(here: Place) -> list[dict[str, Any]]:
    async with here.ask("GET", f"{PREFIX}/formats", await here.person()) as response:
        found: list[dict[str, Any]] = (await response.json())["formats"]
    return found


async def test_the_shipped_formats_each_have_a_sentence(tmp_path: Path) -> None:
    async with place(tmp_path, ROUTES) as here:
        found = await formats(here)
    assert [each["name"] for each in found] == ["open", "circle", "presentation", "queue"]
    assert all(each["title"] and each["description"].endswith(".") for each in found)


async def test_groups_choose_among_the_operators_formats(tmp_path: Path) -> None:
    folder = tmp_path / "formats"
    folder.mkdir()
    shutil.copy(shipped_formats() / "circle.toml", folder)
    own = 'kind = "open"\ntitle = "Tea round"\ndefault_for = ["lobby", "work", "ended"]\n'
    (folder / "open.toml").write_text(own)
    async with place(tmp_path, ROUTES, settings=Settings(formats_dir=folder)) as here:
        found = await formats(here)
        assert found[0] == {"name": "open", "title": "Tea round", "description": ""}
        group = await here.group()
        facilitator = await here.person(member_of={group: "facilitator"})
        path = f"{PREFIX}/groups/{group}"
        async with here.ask("GET", path, facilitator) as response:
            settings = (await response.json())["settings"]
        for name, answer in (("open", (204, None)), ("queue", (400, "bad_group"))):
            changed = {**settings, "formats": [name]}
            assert await here.code("PUT", path, facilitator, json=changed) == answer
