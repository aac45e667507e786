"""For Pool(preload=…): imported in a zygote that is to be refused every process; see no_processes."""

from __future__ import annotations

import os

from no_processes import HOST, refuse

if os.environ[HOST] != str(os.getpid()):
    refuse()
