"""What runs inside the job, wherever the job runs.

Standard library and relative imports only: this package is copied as it is and started there under the top-level name
`_jobq_runtime`, where no `jobq_magic` need be installed.
"""
