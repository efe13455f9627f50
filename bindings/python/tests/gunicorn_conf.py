"""What an application tells gunicorn that evaluates flags in its master as well: see the package's README."""

preload_app = True


def post_fork(server: object, worker: object) -> None:
    from gunicorn_app import client

    client.postfork(start_wait=0)
