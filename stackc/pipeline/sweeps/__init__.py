"""Tables of stacks: a sweep's file, its runs, and the table that they fill (`stackc sweep`).

file.py       the file as data            expand.py     the runs that it describes, and everything wrong with it
predict.py    the stages of runs, before  estimate.py   what `--dry-run` prints
worker.py     a process that builds runs  pool.py       several of them
row.py        the figures of one run      folder.py     the sweep's folder and its table
columns.py    the table's columns         written.py    a table as CSV, Markdown and LaTeX
sweep.py      the whole
"""
