"""`python -m rtnmf` is the command `rtnmf`."""

import sys

from rtnmf.cli import main

sys.exit(main())
