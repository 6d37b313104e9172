"""A log as numbered lines: read by number, found in, followed; the same lines as `jobq logs` gives, in their order.

The text stays where the job wrote it. What is kept beside it is small, and says which bytes of which file come after
each other: it grows with the log while that is read (`growth`), lies in a file without a name on the local disk
(`ledger`), and, once the run has ended, in one with a name, from which the next process goes on (`kept`). It may vanish
at any time.
"""
