"""`python -m rtnmf` is the command `rtnmf`."""

import sys

from rtnmf.cli.main import main

sys.exit(main())
