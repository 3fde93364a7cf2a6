"""`python -m app` is `dripline`."""

import sys

from app.cli import main

sys.exit(main())
