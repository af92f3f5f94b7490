"""`python -m unlite`."""

import sys

from unlite.commands.main import process

sys.exit(process())
