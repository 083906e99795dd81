# Leadflow for a cluster: every part is this image with another command (doors, stages, sinks, timers, console).
# Wheels only, each by its hash; the compiler-less first stage is left behind, and nothing runs as root.
FROM python:3.13-slim-trixie AS build
WORKDIR /build
RUN python -m venv /opt/leadflow
ENV PATH=/opt/leadflow/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/image.txt requirements/build.txt requirements/
RUN pip install --only-binary :all: --require-hashes -r requirements/image.txt
RUN python -m venv /opt/build && /opt/build/bin/pip install --only-binary :all: --require-hashes -r requirements/build.txt
COPY . .
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip install --no-deps --no-index dist/*.whl

FROM python:3.13-slim-trixie
# pg_dump of the server's version: backups are made with it. Debian keeps one minor version of it at a time.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin leadflow \
    && install -d -o leadflow -g leadflow -m 0700 /var/lib/leadflow /var/lib/leadflow-shared /var/lib/leadflow-bodies \
        /var/lib/leadflow-backups
COPY --from=build /opt/leadflow /opt/leadflow
ENV PATH=/opt/leadflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LEADFLOW_HOST=0.0.0.0 \
    LEADFLOW_HTTP_PORT=8080 \
    LEADFLOW_DATA=/var/lib/leadflow/data \
    LEADFLOW_LOG_JSON=true
USER 10001:10001
WORKDIR /var/lib/leadflow
EXPOSE 8080 8025
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['LEADFLOW_HTTP_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["leadflow"]
CMD ["run"]
