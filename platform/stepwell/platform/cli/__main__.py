"""`python -m stepwell.platform.cli`, which is how the parts of `stepwell dev` are started."""

import sys

from stepwell.platform.cli import main

if __name__ == "__main__":
    sys.exit(main())
