"""Stacks compared with each other: what differs, by how much, and how sure that is (`stackc compare`).

entrants.py   the stacks, read        interval.py   paired differences and their intervals
compare.py    the comparison          tables.py     its tables, for a terminal and for files
curves.py     its plots
"""
