"""CPython's own tests of concurrent.futures, loaded from where Debian's libpython3.11-testsuite installed them."""
