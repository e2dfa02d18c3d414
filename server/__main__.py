"""``python -m server`` is ``holdspace``."""

import sys

from server.cli import main

sys.exit(main())
