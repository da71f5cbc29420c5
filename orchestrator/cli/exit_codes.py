"""Owns the exit codes of the command line's contract; 0: done, and what was run or waited for ended SUCCESS."""

NOT_SUCCESSFUL = 1
"""The workflow failed or was stopped."""

MISTAKE = 2
"""The user's."""

UNREACHABLE = 3
"""A service."""

WAIT_OVER = 4
"""What was waited for goes on."""

BUG = 70
"""`EX_SOFTWARE` of sysexits.h: none of the documented codes may hide a fault of this program."""

INTERRUPTED = 130
