"""What `make run` starts when nothing is configured: real services, on this machine only.

Nothing here imports Django's settings: they are read by the processes that are started.
"""
