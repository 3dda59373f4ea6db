"""`python bench`: measures the hot path from one end to the other. `python bench --help` says what can be chosen."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    # Run as a folder, which is then on the path itself; its modules know each other as `bench.…`.
    sys.path[0] = str(Path(__file__).parents[1])
    sys.exit(import_module("bench.running").main())
