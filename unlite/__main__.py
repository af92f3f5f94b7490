"""`python -m unlite`."""

import sys

from unlite.commands.main import main

sys.exit(main())
