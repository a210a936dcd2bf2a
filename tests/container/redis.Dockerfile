# Redis for a machine that reaches no image registry: Debian's, with the user and the volume of the public image.
FROM python:3.11-slim-bookworm
RUN groupadd --gid 999 redis && useradd --uid 999 --gid 999 --no-create-home redis
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
RUN mkdir /data && chown redis:redis /data
VOLUME /data
