"""The journal: what WorkOS said, verbatim and in order, and how far everybody has read it.

Import the modules where it makes a sentence: `entries.append`, `cursor.advance`, `checkpoints.lock`, `failures.park`.
"""
