# Two images from one file:
#   docker build -t lstm-serve .                               serves; no torch in it
#   docker build -t lstm-serve-training --target training .    trains and publishes into a mounted store
#
# Build arguments, none of them needed where the public indexes are reached:
#   PIP_INDEX_URL, PIP_TRUSTED_HOST   a package index of your own, as pip reads them; declared again in
#                                     every stage that installs, because an ARG ends with its stage
#   TORCH_INDEX_URL                   where the training image finds torch (default: its CPU wheels)

FROM python:3.11-slim-bookworm AS base
ENV PATH=/app/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The first user of most machines: what the training image publishes into a mounted store is theirs.
RUN groupadd --gid 1000 app && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /tmp app
WORKDIR /app


# --- dependencies, in a layer of their own: a change of ours does not install them again ---------
FROM base AS dependencies
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_PYTHON=/app/venv/bin/python \
    PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv --without-pip venv
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*project['dependencies'], *project['optional-dependencies']['constrained'], sep='\n')" >requirements.txt \
    && pip install -c constraints.txt -r requirements.txt


# --- serve ---------------------------------------------------------------------------------------
FROM dependencies AS build
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY . .
RUN pip install --no-deps .


FROM base AS serve
LABEL org.opencontainers.image.title="lstm-serve" \
      org.opencontainers.image.description="Streams text from recurrent language models over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app/venv /app/venv
COPY model_store model_store
ENV LSTM_SERVE_HOST=0.0.0.0 \
    LSTM_SERVE_PORT=8000 \
    LSTM_SERVE_MODEL_STORE=/app/model_store \
    LSTM_SERVE_SESSION_STORE=sqlite:////app/sessions/sessions.sqlite3
# Sessions; anyone may write, so that another user needs no chown of the volume.
RUN mkdir -m 1777 sessions
USER 1000:1000
VOLUME ["/app/sessions"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["lstm-serve", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["lstm-serve"]
CMD ["serve"]


# --- train ---------------------------------------------------------------------------------------
# torch comes first and from its own index only: where its CPU build is not to be had, the build stops
# here, and does not go on with gigabytes of CUDA.
FROM dependencies AS build-training
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG TORCH_INDEX_URL
RUN pip install --no-deps -c constraints.txt torch \
        --index-url "${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cpu}"
RUN python -c "import tomllib; extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; print(*extras['training'], *extras['tensorboard'], sep='\n')" >requirements.txt \
    && pip install -c constraints.txt -r requirements.txt
COPY . .
RUN pip install --no-deps .


FROM base AS training
LABEL org.opencontainers.image.title="lstm-serve-training" \
      org.opencontainers.image.description="Trains recurrent language models and publishes them for lstm-serve" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-training /app/venv /app/venv
COPY training/configs training/configs
# Checkpoints; anyone may write, so that another user needs no chown of the volume.
RUN mkdir -m 1777 runs model_store
ENV MPLCONFIGDIR=/tmp/matplotlib
USER 1000:1000
VOLUME ["/app/runs"]
ENTRYPOINT ["lstm-train"]
CMD ["--help"]


# The last stage is what a plain `docker build` makes.
FROM serve
