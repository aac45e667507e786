"""Measures hotspare beside other process pools; see README.md."""

import sys

from peerbench.command import main

if __name__ == "__main__":
    sys.exit(main())
