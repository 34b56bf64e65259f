# The voice service: one image for web, worker, beat and the migrations (compose.yaml names each).
# Secrets never go into it: they are read from the environment, or from files it names (NAME_FILE).

# --- Build: packages and collected static files; nothing else of this stage is kept ----------------
FROM python:3.12-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH

# First what changes rarely, so that a change of the code installs nothing again.
WORKDIR /app
COPY requirements/base.txt requirements/prod.txt requirements/constraints.txt requirements/
RUN pip install --only-binary :all: -r requirements/prod.txt -c requirements/constraints.txt \
    && pip uninstall --yes pip

COPY manage.py ./
COPY fluxer fluxer
COPY regions regions
COPY voice voice
COPY templates templates

# The settings want addresses and a key; nothing is connected, and none of this is in the image.
RUN DJANGO_SECRET_KEY=build DATABASE_URL=postgres://127.0.0.1/build REDIS_URL=redis://127.0.0.1/0 \
    STATIC_ROOT=/app/static-root python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q fluxer regions voice

# COPY keeps the checkout's modes, which a careful umask has closed to all but its owner; what runs
# is another user.
RUN chmod -R a+rX,go-w /app

# --- Run ------------------------------------------------------------------------------------------
FROM python:3.12-slim-bookworm

# A user that owns nothing: the code is root's, and only /tmp is written to.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin fluxer

COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATIC_ROOT=/app/static-root \
    LOG_FORMAT=json \
    HOST=0.0.0.0 \
    PORT=8000

USER 10001
EXPOSE 8000

# Web finishes its requests and the worker its tasks; give them STOP_SECONDS (25) and a little more.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "fluxer.serve", "check", "web"]

# `web`, `worker` or `beat`; several in one container, or all without a name, work too.
ENTRYPOINT ["python", "-m", "fluxer.serve"]
CMD ["web"]
