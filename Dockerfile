# The program as an image: what it needs to run, pinned by hash, and nothing else.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" --tag contract-dataflow:0.1.0 .
#
# The base by digest, an index for several platforms: Python 3.12.14 as of September 2026. A newer one, which brings
# Debian's security updates, is what this prints: docker buildx imagetools inspect python:3.12-slim-bookworm
# Debian, because Bytewax has no wheels for musl.
ARG BASE=python:3.12-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254

FROM ${BASE} AS build
# A C compiler, for this stage alone. Python's headers come with the base.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
# All that is installed lies in one directory, which is then copied.
RUN python3 -m venv /opt/contract-dataflow
WORKDIR /build
# Dependencies first: they change more seldom than the program.
COPY constraints-runtime.txt constraints-compile.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/contract-dataflow/bin/python -m pip install \
        --require-hashes --only-binary :all: --requirement constraints-runtime.txt
# mypyc, which makes C of modules: beside what is copied.
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/contract-dataflow/bin/python -m pip install --target /build/compiler \
        --require-hashes --only-binary :all: --requirement constraints-compile.txt
COPY pyproject.toml setup.py README.md ./
COPY dataflow dataflow
COPY connectors connectors
# setuptools, which builds it, is among what is pinned: the warehouse's driver asks for it.
RUN COMPILE=1 PYTHONPATH=/build/compiler \
    /opt/contract-dataflow/bin/python -m pip install --no-deps --no-build-isolation --no-index .
# Nothing installs anything into a running pod.
RUN /opt/contract-dataflow/bin/python -m pip uninstall --yes pip

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG BASE
LABEL org.opencontainers.image.title="contract-dataflow" \
      org.opencontainers.image.description="A data contract that runs: Kafka messages to Redshift rows, contact events and dead letters" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /opt/contract-dataflow /opt/contract-dataflow
# The root file system is read-only: byte code was compiled when the packages were installed.
ENV PATH=/opt/contract-dataflow/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /opt/contract-dataflow
EXPOSE 9108
# Not through a shell: the program is process 1, and SIGTERM is its own.
ENTRYPOINT ["/opt/contract-dataflow/bin/contract-dataflow"]
CMD ["run"]
