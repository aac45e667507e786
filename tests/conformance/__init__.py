"""Suites and programs that others wrote, run with an executor put in place of the stdlib's."""
